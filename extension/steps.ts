import * as vscode from 'vscode';

const { t } = vscode.l10n;

/** What a step came to: an answer, the wish to go back, or the end of it all. */
export type Answer<Value> = { readonly value: Value } | 'back' | 'cancelled';

/** Where in a sequence a question stands. */
export interface Place {
  readonly title: string;
  /** From 1; left out where there is one question only. */
  readonly step?: number;
  /** Left out while it is not known how many there will be. */
  readonly totalSteps?: number;
}

export interface Choice<Value> extends vscode.QuickPickItem {
  readonly value: Value;
}

/** Asks for one of several. */
export function choose<Value>(
  place: Place,
  placeholder: string,
  choices: readonly Choice<Value>[],
): Promise<Answer<Value>> {
  const input = vscode.window.createQuickPick<Choice<Value>>();
  input.items = choices;
  input.placeholder = placeholder;
  input.matchOnDescription = true;
  return ask(input, place, () => input.selectedItems[0]?.value);
}

export interface TextQuestion {
  readonly prompt: string;
  readonly placeholder?: string;
  readonly value?: string;
  readonly password?: boolean;
  /** What is wrong with a text; undefined when nothing is. */
  readonly validate?: (text: string) => string | undefined;
}

/** Asks for a text. */
export function enter(place: Place, question: TextQuestion): Promise<Answer<string>> {
  const input = vscode.window.createInputBox();
  input.prompt = question.prompt;
  input.placeholder = question.placeholder ?? '';
  input.value = question.value ?? '';
  input.password = question.password === true;
  const check = (): string | undefined => question.validate?.(input.value.trim());
  input.onDidChangeValue(() => (input.validationMessage = ''));
  return ask(input, place, () => {
    const problem = check();
    if (problem === undefined) return input.value.trim();
    input.validationMessage = problem;
    return undefined;
  });
}

function ask<Value>(
  input: vscode.QuickPick<Choice<Value>> | vscode.InputBox,
  { title, step, totalSteps }: Place,
  accepted: () => Value | undefined,
): Promise<Answer<Value>> {
  input.title = title;
  input.step = step;
  input.totalSteps = totalSteps;
  // What takes the focus for a moment must not throw away what was answered so far.
  input.ignoreFocusOut = true;
  if (step !== undefined && step > 1) input.buttons = [vscode.QuickInputButtons.Back];
  return new Promise((resolve) => {
    const done = (answer: Answer<Value>): void => {
      resolve(answer);
      input.dispose();
    };
    input.onDidAccept(() => {
      const value = accepted();
      if (value !== undefined) done({ value });
    });
    input.onDidTriggerButton(() => done('back'));
    input.onDidHide(() => done('cancelled'));
    input.show();
  });
}

/** A question of a sequence; it sees what was answered before it, and undefined leaves it out. */
export type Step<State> = (state: State, step: number) => Promise<Answer<Partial<State>>> | undefined;

/**
 * Asks one question after another. Back leads to the one that was asked before; Escape ends it all, and the answer
 * is undefined.
 */
export async function sequence<State extends object>(
  start: State,
  steps: readonly Step<State>[],
): Promise<State | undefined> {
  const asked: { readonly index: number; readonly before: State }[] = [];
  let state = start;
  for (let index = 0; index < steps.length;) {
    const answer = await steps[index]?.(state, asked.length + 1);
    if (answer === undefined) {
      index++;
      continue;
    }
    if (answer === 'cancelled') return undefined;
    if (answer === 'back') {
      const last = asked.pop();
      if (last === undefined) return undefined;
      ({ index, before: state } = last);
      continue;
    }
    asked.push({ index, before: state });
    state = { ...state, ...answer.value };
    index++;
  }
  return state;
}

/** The answer of a question as part of a state. */
export async function as<State, Key extends keyof State>(
  key: Key,
  answer: Promise<Answer<State[Key]>>,
): Promise<Answer<Partial<State>>> {
  const given = await answer;
  return typeof given === 'string' ? given : { value: { [key]: given.value } as unknown as Partial<State> };
}

/** Asks before something that cannot be undone with one key. */
export async function confirm(question: string, action: string, detail?: string): Promise<boolean> {
  const options = { modal: true, ...(detail !== undefined && { detail }) };
  return (await vscode.window.showWarningMessage(question, options, action)) === action;
}

export function required(text: string): string | undefined {
  return text === '' ? t('This is needed.') : undefined;
}
