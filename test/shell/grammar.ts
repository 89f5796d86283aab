import type { random } from '../support/data.ts';

type Random = ReturnType<typeof random>;

/** A random script that ends soon: loops run over short lists or count down, functions do not call themselves. */
export function randomScript(from: Random): string {
  const maker = new Maker(from);
  const head = from.below(2) === 0 ? 'set -e\n' : '';
  const trap = from.below(4) === 0 ? "trap 'echo trapped $?' EXIT\n" : '';
  const functions = [0, 1, 2].map((i) => `f${i}() ${maker.compound(2)}\n`).join('');
  const body: string[] = [];
  for (let n = 3 + from.below(5); n > 0; n--) body.push(maker.statement(3, true));
  return `${head}${trap}${functions}${body.join('\n')}\necho end $? "$a" "$b"\n`;
}

class Maker {
  readonly #from: Random;
  #loops = 0;

  constructor(from: Random) {
    this.#from = from;
  }

  #pick(...choices: readonly (() => string)[]): string {
    return this.#from.pick(choices)();
  }

  #name(): string {
    return this.#from.pick(['a', 'b', 'c', 'd']);
  }

  /** A word, of text, quotes and expansions. */
  word(depth: number): string {
    let text = '';
    for (let n = 1 + this.#from.below(2); n > 0; n--) text += this.#piece(depth);
    return text;
  }

  #piece(depth: number): string {
    const inner = depth - 1;
    return this.#pick(
      () => this.#from.pick(['x', 'yz', '1', '0', 'a.b', '-', 'p/q/r', '==']),
      () => `'${this.#from.pick(['q q', '', 'a*b', '$a', '\\n'])}'`,
      () =>
        `"${this.#from.pick(['', ' ', 'd d'])}${depth > 0 ? this.#expansion(inner) : ''}${this.#from.pick(['', 'e'])}"`,
      () => (depth > 0 ? this.#expansion(inner) : 'z'),
      () => this.#from.pick(['\\ ', '\\$', '\\\\', "\\'", '\\x']),
    );
  }

  #expansion(depth: number): string {
    const name = this.#name();
    return this.#pick(
      () => `$${name}`,
      () => `\${${name}}`,
      () =>
        `\${${name}${this.#from.pick([':-', '-', ':+', '+', ':=', '='])}${this.#from.pick(['w', '', 'v v', '"$b"'])}}`,
      () =>
        `\${${name}${this.#from.pick(['#', '##', '%', '%%'])}${this.#from.pick(['*', 'x', '?', '*b', '[a-x]*', '*/', '/*', "'*'"])}}`,
      () => `\${#${name}}`,
      () => `$((${this.arithmetic(2)}))`,
      () => (depth > 0 ? `$(${this.statement(depth - 1, false)})` : '$#'),
      () => this.#from.pick(['$?', '$#', '$*', '$@', '$1']),
    );
  }

  arithmetic(depth: number): string {
    if (depth === 0) return this.#from.pick(['1', '2', '7', '0x1f', '010', '-3', 'n', 'm']);
    const operator = this.#from.pick(['+', '-', '*', '|', '&', '^', '<<', '==', '!=', '<', '>=', '&&', '||']);
    return this.#pick(
      () => `${this.arithmetic(depth - 1)} ${operator} ${this.arithmetic(depth - 1)}`,
      () => `(${this.arithmetic(depth - 1)})`,
      () => `${this.arithmetic(depth - 1)} ? ${this.arithmetic(depth - 1)} : ${this.arithmetic(depth - 1)}`,
      () => `${this.#from.pick(['!', '~', '- '])}(${this.arithmetic(depth - 1)})`,
      () => `${this.#from.pick(['n', 'm'])} ${this.#from.pick(['=', '+=', '|='])} ${this.arithmetic(0)}`,
    );
  }

  #simple(depth: number, calls: boolean): string {
    const inner = depth - 1;
    return this.#pick(
      () => `echo ${this.word(inner)} ${this.word(inner)}`,
      () => `printf '<%s>\\n' ${this.word(inner)} ${this.word(inner)}`,
      () => `${this.#name()}=${this.word(inner)}`,
      () => this.#from.pick(['true', 'false', ':', '! true', '! false']),
      () => `[ ${this.#from.pick(['-n', '-z'])} "${this.#expansion(0)}" ]`,
      () => `[ "${this.#expansion(0)}" ${this.#from.pick(['=', '!='])} ${this.#from.pick(['x', "'q q'", '""'])} ]`,
      () => `set -- ${this.word(inner)} ${this.word(inner)}`,
      () => `eval 'echo $${this.#name()}'`,
      () => `unset ${this.#name()}`,
      () => `echo "${this.#from.pick(['one', '$a'])}" > out; cat out`,
      () => (calls ? `f${this.#from.below(3)} ${this.word(inner)}` : `return ${this.#from.below(4)}`),
      () => (this.#loops > 0 ? this.#from.pick(['break', 'continue', 'break 2']) : '(exit 3)'),
      () =>
        `${this.#name()}=${this.word(inner)} ${this.#from.pick(['true', ':', 'eval echo \\$a', 'sh -c \'echo "$a"\''])}`,
      () => `cat <<E\n${this.#from.pick(['text', '$a', '$(echo in)', '\\$b', '"q"'])}\nE\n`,
    );
  }

  compound(depth: number): string {
    return `{ ${this.statement(depth - 1, false)}\n${this.statement(depth - 1, false)}\n}`;
  }

  /** `calls`: functions may be called here, which is not the case inside a function. */
  statement(depth: number, calls: boolean): string {
    if (depth <= 0) return this.#simple(0, calls);
    const inner = depth - 1;
    const one = () => this.statement(inner, calls);
    const looped = (make: () => string) => {
      this.#loops++;
      const text = make();
      this.#loops--;
      return text;
    };
    return this.#pick(
      () => this.#simple(depth, calls),
      () => this.#simple(depth, calls),
      () => `${one()}\n${one()}`,
      () => `{ ${one()}\n} && { ${one()}\n}`,
      () => `{ ${one()}\n} || { ${one()}\n}`,
      () => `if ${one()}\nthen ${one()}\nelse ${one()}\nfi`,
      () => `if ${one()}\nthen ${one()}\nfi`,
      () => looped(() => `for ${this.#name()} in ${this.word(inner)} ${this.word(inner)}; do ${one()}\ndone`),
      () => looped(() => `i${depth}=; while [ "$i${depth}" != xx ]; do i${depth}=x$i${depth}; ${one()}\ndone`),
      () => `case ${this.word(inner)} in x*|'q q') ${one()}\n;; *y*) ${one()}\n;; esac`,
      () => `(${one()}\n)`,
      () => `{ ${one()}\n} | cat`,
      () => `{ ${one()}\n} 2>/dev/null`,
      () => `! { ${one()}\n}`,
    );
  }
}
