import {
  provideVSCodeDesignSystem,
  vsCodeButton,
  vsCodeProgressRing,
  vsCodeTextArea,
  vsCodeTextField,
} from '@vscode/webview-ui-toolkit';

/**
 * Defines the `vscode-*` elements the page uses. The one place that knows which library they come from. Left out
 * on purpose: the badge, whose style attribute a strict CSP refuses, and the checkbox, which tells a screen
 * reader nothing of its third state.
 */
export function defineComponents(): void {
  provideVSCodeDesignSystem().register(
    vsCodeButton(),
    vsCodeProgressRing(),
    vsCodeTextArea(),
    vsCodeTextField(),
  );
}
