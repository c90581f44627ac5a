import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

const MODULE_STATE =
  'Module-level state: pass it in, so that two gateways in one process do not notice each other.';

export default tseslint.config(
  { ignores: ['dist', 'out', 'data', 'node_modules', '.vscode-test'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines': ['error', 400],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      // Parts are objects of closures behind interfaces: their methods have no `this` to lose.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Functions behind an interface return promises whether or not this implementation waits.
      '@typescript-eslint/require-await': 'off',
      // Index signatures are read with brackets: noPropertyAccessFromIndexSignature's spirit, told apart at sight.
      '@typescript-eslint/dot-notation': 'off',
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      'no-restricted-syntax': [
        'error',
        { selector: 'Program > VariableDeclaration[kind="let"]', message: MODULE_STATE },
        {
          selector: 'Program > ExportNamedDeclaration > VariableDeclaration[kind="let"]',
          message: MODULE_STATE,
        },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // Tests read foreign JSON and assert on it at once.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-syntax': 'off',
    },
  },
  {
    // The legacy HTTP+SSE transport is deprecated in the SDK, and is what these tests are about.
    files: ['test/support/legacy-sse.ts'],
    rules: { '@typescript-eslint/no-deprecated': 'off' },
  },
  {
    // What tools ask to be a default export, in modules of their own.
    files: ['**/*.mjs', '**/*.js', 'vitest.config.ts'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
      },
    },
    rules: { 'no-restricted-exports': 'off' },
  },
);
