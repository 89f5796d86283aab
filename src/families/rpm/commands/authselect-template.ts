/**
 * Templates of authselect's profiles (authselect-profiles(5), TEMPLATES): PAM's stacks and nsswitch.conf with operators in
 * braces that depend on the features that are switched on.
 *
 *     {include if EXPRESSION}   {exclude if EXPRESSION}    the line stays, or goes
 *     {if EXPRESSION:text}      {if EXPRESSION:text|else}   text in a line
 *     {continue if EXPRESSION}  {stop if EXPRESSION}        the rest of the file goes
 *     {imply "feature" if EXPRESSION}                       switches a further feature on
 *
 * An expression has names of features in quotes, `and`, `or`, `not` and parentheses.
 */

/** Longest nesting of an expression that is followed. */
const DEPTH = 32;
const OPERATOR =
  /\{(continue if|stop if|include if|exclude if|if|imply "[^{}"|]*" if) ([^{}|:]+)(?::([^{}|]*)(?:\|([^{}|]*))?)?\}/g;

/** The text of a template with `features` on. Each line loses the white space at its end. */
export function filledTemplate(template: string, features: readonly string[]): string {
  const on = new Set(features);
  // implied features count everywhere, also in lines above
  for (const [, operator = '', expression = ''] of template.matchAll(OPERATOR)) {
    const implied = /^imply "([^"]*)" if$/.exec(operator)?.[1];
    if (implied !== undefined && holds(expression, on)) on.add(implied);
  }
  const kept: string[] = [];
  for (const line of template.split('\n')) {
    let gone = false;
    let ended = false;
    const text = line.replace(OPERATOR, (_, operator: string, expression: string, yes = '', no = '') => {
      const holding = holds(expression, on);
      if (operator === 'if') return holding ? yes : no;
      if (operator.startsWith('imply')) gone = true;
      else if (operator === 'include if') gone ||= !holding;
      else if (operator === 'exclude if') gone ||= holding;
      else {
        gone = true;
        ended ||= operator === 'stop if' ? holding : !holding;
      }
      return '';
    });
    if (ended) {
      kept.push('');
      break;
    }
    if (!gone) kept.push(text.trimEnd());
  }
  return kept.join('\n');
}

/** True when an expression holds; what is no expression does not. */
function holds(expression: string, on: ReadonlySet<string>): boolean {
  const tokens = expression.match(/"[^"]*"|\(|\)|\w+/g) ?? [];
  let at = 0;
  const all = (depth: number): boolean => {
    let value = some(depth);
    while (tokens[at] === 'or') {
      at++;
      const right = some(depth);
      value ||= right;
    }
    return value;
  };
  const some = (depth: number): boolean => {
    let value = one(depth);
    while (tokens[at] === 'and') {
      at++;
      const right = one(depth);
      value &&= right;
    }
    return value;
  };
  const one = (depth: number): boolean => {
    const token = tokens[at++];
    if (depth > DEPTH || token === undefined) return false;
    if (token === 'not') return !one(depth + 1);
    if (token !== '(') return token.startsWith('"') && on.has(token.slice(1, -1));
    const value = all(depth + 1);
    if (tokens[at] === ')') at++;
    return value;
  };
  return all(0);
}
