# One image for `serve`, `worker`, `migrate` and every other command. Pinned by tag: pin the digests of the images
# that you have looked at, as your registry shows them.
FROM ghcr.io/astral-sh/uv:0.13.9 AS uv

FROM python:3.13-slim AS build
COPY --from=uv /uv /usr/local/bin/uv
ENV UV_PYTHON_DOWNLOADS=never UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/tocsin
WORKDIR /src
# What changes seldom first: the layer of dependencies is kept while only the code changes. No extra `embedded`:
# production has a Postgres of its own.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --extra apprise --extra otel --no-install-project
COPY . .
RUN uv sync --frozen --no-dev --extra apprise --extra otel --no-editable

FROM python:3.13-slim
COPY --from=build /opt/tocsin /opt/tocsin
# Nothing is written at run time: the root file system may be read-only. Numeric, so that Kubernetes can tell that it
# is not root.
ENV PATH=/opt/tocsin/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /
EXPOSE 8000
# Of a server; compose.yaml switches it off for the others, and Kubernetes has its own probes.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["tocsin"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
