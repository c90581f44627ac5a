/** The commands the manifest contributes. */
export const COMMANDS = {
  start: 'toolgate.startGateway',
  stop: 'toolgate.stopGateway',
  restart: 'toolgate.restartGateway',
  refresh: 'toolgate.refreshRegistry',
  openPlayground: 'toolgate.openPlayground',
  copyAddress: 'toolgate.copyMcpAddress',
  copyToken: 'toolgate.copyToken',
  showLog: 'toolgate.showLog',
  openConfiguration: 'toolgate.openConfiguration',
  exportConfiguration: 'toolgate.exportConfiguration',
  setSecret: 'toolgate.setSecret',
  deleteSecret: 'toolgate.deleteSecret',
  showMenu: 'toolgate.showMenu',
} as const;
