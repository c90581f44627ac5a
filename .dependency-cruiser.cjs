/** The import boundaries: what may know of what. `npm run lint` fails on each import that crosses one. */
const only = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^(gateway|extension|webview|test|examples)/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'vscode-only-in-extension',
      comment: 'The gateway and the page run without VS Code.',
      severity: 'error',
      from: { pathNot: '^(extension|test/vscode)/' },
      to: { path: '^vscode$' },
    },
    only(
      'extension-boundary',
      'extension/ meets the gateway in its contract, and in the language of its configuration, which is pure',
      '^extension/',
      '^(extension|gateway/(contract|config))/',
    ),
    only(
      'webview-boundary',
      'webview/ meets the gateway in its contract',
      '^webview/',
      '^(webview|gateway/contract)/',
    ),
    only('gateway-boundary', 'the gateway knows neither its editor nor its page', '^gateway/', '^gateway/'),
    only('examples-boundary', 'an example is what a stranger would write', '^examples/', '^examples/'),
    only(
      'contract-is-the-bottom',
      'the contract imports nothing of the product',
      '^gateway/contract/',
      '^gateway/contract/',
    ),
    only(
      'access-is-pure',
      'access/ decides without I/O',
      '^gateway/access/',
      '^gateway/(access|config/(schema|subjects|policies/)|identity/principal|contract/)',
    ),
    only('config-is-pure', 'config/ knows nothing else', '^gateway/config/', '^gateway/(config|contract)/'),
    {
      name: 'no-io-where-it-is-pure',
      severity: 'error',
      from: { path: '^gateway/(access|config|contract)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'only-http-knows-http',
      comment: 'imports go down: http → pipeline → stages → domain → storage contracts',
      severity: 'error',
      from: { path: '^gateway/', pathNot: '^gateway/(http/|wrap/|gateway\\.ts)' },
      to: { path: '^gateway/http/' },
    },
    {
      name: 'only-the-top-puts-together',
      severity: 'error',
      from: { path: '^gateway/', pathNot: '^gateway/(cli/|main\\.ts)' },
      to: { path: '^gateway/(gateway\\.ts|cli/|main\\.ts)' },
    },
    {
      name: 'wrap-is-a-program-of-its-own',
      comment: 'toolgate wrap serves one server as it is: no registry, no policy.',
      severity: 'error',
      from: { path: '^gateway/wrap/' },
      to: { path: '^gateway/(access|agent|config|identity|models|pipeline|registry|storage)/' },
    },
    {
      name: 'storage-by-contract',
      comment: 'Only the top chooses an implementation.',
      severity: 'error',
      from: { path: '^gateway/', pathNot: '^gateway/(storage|cli)/' },
      to: { path: '^gateway/storage/', pathNot: '^gateway/storage/contracts\\.ts' },
    },
    {
      name: 'upstream-knows-no-policy',
      severity: 'error',
      from: { path: '^gateway/upstream/' },
      to: { path: '^gateway/(access|identity|http|mcp|agent|models|pipeline/(?!call\\.ts))' },
    },
    {
      name: 'models-know-no-mcp',
      severity: 'error',
      from: { path: '^gateway/models/' },
      to: { path: '^gateway/(mcp|registry|upstream|pipeline|access)/' },
    },
    {
      name: 'the-agent-reaches-tools-by-the-pipeline',
      severity: 'error',
      from: { path: '^gateway/(agent|mcp|http)/' },
      to: {
        path: '^gateway/upstream/(stdio|streamable-http|http-transport|owned-http|child|supervisor|peer)\\.ts',
      },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|out|node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
