import * as vscode from 'vscode';
import * as z from 'zod';

const SECTION = 'toolgate';

const settingsSchema = z.object({
  /** Empty when the configuration is to be looked for. */
  configFile: z.string().catch(''),
  port: z.number().int().min(0).max(65535).catch(8665),
  autoStart: z.boolean().catch(true),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error']).catch('info'),
});
export type Settings = z.infer<typeof settingsSchema>;

/** The settings as they are now; a value of the wrong type counts as not set, as VS Code itself marks it. */
export function readSettings(): Settings {
  const section = vscode.workspace.getConfiguration(SECTION);
  return settingsSchema.parse({
    configFile: section.get('configFile'),
    port: section.get('port'),
    autoStart: section.get('autoStart'),
    logLevel: section.get('logLevel'),
  });
}

export function onDidChangeSettings(listener: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration(SECTION)) listener();
  });
}

/** Lets the system choose the gateway's port from now on, in every window of this user. */
export async function useAnyFreePort(): Promise<void> {
  await vscode.workspace.getConfiguration(SECTION).update('port', 0, vscode.ConfigurationTarget.Global);
}
