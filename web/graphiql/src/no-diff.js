// GraphiQL never opens Monaco's diff editors.
export class DiffEditorWidget {}
export class MultiDiffEditorWidget {}
