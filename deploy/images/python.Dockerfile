# A Python MCP server that speaks stdio, served over HTTP by `toolgate wrap`, which needs Node beside Python.
# Built from this repository's root, after `npm run build`:
#   docker build -f deploy/images/python.Dockerfile --build-arg SERVER=PACKAGE==VERSION -t IMAGE .
FROM node:24.11-bookworm-slim AS node
FROM python:3.13-slim-bookworm
ARG SERVER=mcp-server-fetch==2025.4.7
RUN pip install --no-cache-dir "${SERVER}"
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY dist/*.js dist/third-party-licences.txt /opt/toolgate/
ENV HOME=/tmp PYTHONUNBUFFERED=1
USER 1000
EXPOSE 8000
ENTRYPOINT ["node", "/opt/toolgate/gateway.js", "wrap", "--port", "8000", "--host", "0.0.0.0", "--server", "stream"]
CMD ["mcp-server-fetch"]
