import type { Condition } from './ast.ts';
import type { RunningShell } from './command.ts';
import { expandPattern, expandText } from './expand.ts';
import { compilePattern, matches } from './pattern.ts';
import { compileRegex, RegexError } from './regex.ts';
import { compareFiles, unaryTest } from './test.ts';

/** Evaluates the expression of bash's `[[ … ]]`. */
export function holds(condition: Condition, shell: RunningShell): boolean {
  switch (condition.kind) {
    case 'word':
      return expandText(condition.word, shell) !== '';
    case 'not':
      return !holds(condition.body, shell);
    case 'and':
      return holds(condition.left, shell) && holds(condition.right, shell);
    case 'or':
      return holds(condition.left, shell) || holds(condition.right, shell);
    case 'unary':
      return unaryTest(condition.operator, expandText(condition.word, shell), shell);
    case 'binary':
      return binary(condition, shell);
  }
}

function binary(condition: Condition & { kind: 'binary' }, shell: RunningShell): boolean {
  const { operator } = condition;
  const left = expandText(condition.left, shell);
  const fold = shell.shopts.has('nocasematch');
  const { budget } = shell;
  switch (operator) {
    case '=':
    case '==':
    case '!=': {
      const source = expandPattern(condition.right, shell);
      const pattern = compilePattern(fold ? source.toLowerCase() : source, budget, false, true);
      return matches(pattern, fold ? left.toLowerCase() : left, budget) === (operator !== '!=');
    }
    case '=~':
      return regexMatch(left, condition, shell, fold);
    case '<':
      return left < expandText(condition.right, shell);
    case '>':
      return left > expandText(condition.right, shell);
    case '-nt':
    case '-ot':
    case '-ef':
      return compareFiles(left, operator, expandText(condition.right, shell), shell);
    default: {
      const [a, b] = [shell.calculate(left), shell.calculate(expandText(condition.right, shell))];
      switch (operator) {
        case '-eq':
          return a === b;
        case '-ne':
          return a !== b;
        case '-lt':
          return a < b;
        case '-le':
          return a <= b;
        case '-gt':
          return a > b;
        default:
          return a >= b;
      }
    }
  }
}

/** `=~`: sets BASH_REMATCH. Quoted parts of the expression match themselves. */
function regexMatch(
  text: string,
  condition: Condition & { kind: 'binary' },
  shell: RunningShell,
  ignoreCase: boolean,
): boolean {
  let source = '';
  for (const part of condition.right) {
    const value = expandText([part], shell);
    source += part.quoted ? value.replace(/[\\.[\]()*+?{}|^$]/g, '\\$&') : value;
  }
  try {
    const found = compileRegex(source, shell.budget, { extended: true, ignoreCase }).exec(text, 0, shell.budget);
    const groups: string[] = [];
    for (let i = 0; found !== undefined && i < found.length; i += 2)
      groups.push(found[i]! < 0 ? '' : text.slice(found[i], found[i + 1]));
    shell.makeArray(
      'BASH_REMATCH',
      groups.map((group, i) => [String(i), group] as const),
    );
    return found !== undefined;
  } catch (error) {
    if (!(error instanceof RegexError)) throw error;
    return shell.fail(`[[: ${error.message}`);
  }
}
