# A Node MCP server of npm that speaks stdio, served over HTTP by `toolgate wrap`.
# Built from this repository's root, after `npm run build`:
#   docker build -f deploy/images/node.Dockerfile --build-arg SERVER=PACKAGE@VERSION -t IMAGE .
FROM node:24.11-bookworm-slim
ARG SERVER=@modelcontextprotocol/server-memory@2026.8.31
WORKDIR /srv/mcp
RUN npm install --omit=dev --no-audit --no-fund "${SERVER}" && npm cache clean --force
COPY dist/*.js dist/third-party-licences.txt /opt/toolgate/
ENV NODE_ENV=production HOME=/tmp PATH=/srv/mcp/node_modules/.bin:$PATH
USER node
EXPOSE 8000
ENTRYPOINT ["node", "/opt/toolgate/gateway.js", "wrap", "--port", "8000", "--host", "0.0.0.0", "--server", "stream"]
CMD ["mcp-server-memory"]
