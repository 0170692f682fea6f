// What graphql-inspector calls when it has compared: a breaking change must be named in the changelog.
const named = new Set(JSON.parse(process.env.NAMED_BREAKING))

module.exports = ({ breakingChanges }) => {
  const unnamed = breakingChanges.filter((change) => !named.has(change.path))
  for (const change of unnamed) {
    console.error(`CHANGELOG.md does not name \`${change.path}\` under "### Breaking".`)
  }
  process.exit(unnamed.length ? 1 : 0)
}
