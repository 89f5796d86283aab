import { random } from '../../../support/data.ts';

/** Small random repositories and requests, written as libsolv's test cases. */

type Random = ReturnType<typeof random>;

/** How often each feature occurs; a test varies them so that no feature hides another. */
export interface Mix {
  readonly rich: number;
  readonly weak: number;
  readonly conflicts: number;
  readonly obsoletes: number;
  readonly versions: number;
  readonly architectures: number;
  readonly packages: number;
  /** True for long chains of requirements that mostly can be satisfied: more choices, more that is learnt. */
  readonly connected: boolean;
}

const CAPABILITIES = ['cap', 'cap2', 'cap3', 'lib(x)', '/usr/bin/f', '/usr/bin/g'];
const OPERATORS = ['=', '<', '>', '<=', '>='];

class Writer {
  private readonly r: Random;
  private readonly mix: Mix;
  readonly names: string[];

  constructor(r: Random, mix: Mix) {
    this.r = r;
    this.mix = mix;
    const most = Math.max(1, Math.ceil(mix.packages / (mix.connected ? 1.2 : 2)));
    this.names = 'abcdefghijklmnopqrstuvwxyz'.split('').slice(0, 3 + r.below(most));
  }

  chance(percent: number): boolean {
    return this.r.below(100) < percent;
  }

  evr(): string {
    const { r } = this;
    const epoch = this.chance(5) ? '1:' : '';
    return `${epoch}${r.pick(['1', '2', '3', '1.1', '2~rc'])}-${r.pick(['1', '1', '2'])}`;
  }

  /** A version in a dependency: sometimes without a release. */
  private version(): string {
    const whole = this.evr();
    return this.chance(50) ? whole.replace(/-.*/, '') : whole;
  }

  simple(): string {
    const { r } = this;
    const name = this.chance(this.mix.connected ? 45 : 60) ? r.pick(this.names) : r.pick(CAPABILITIES);
    if (this.mix.connected && !name.startsWith('/') && this.chance(20)) return `${name} >= 1`;
    if (name.startsWith('/') || !this.chance(this.mix.versions)) return name;
    return `${name} ${r.pick(OPERATORS)} ${this.version()}`;
  }

  dependency(depth = 0): string {
    const { r } = this;
    if (depth > 2 || !this.chance(depth === 0 ? this.mix.rich : 30)) return this.simple();
    const operand = () => {
      const one = this.dependency(depth + 1);
      return one.includes(' ') ? `(${one})` : one;
    };
    const operator = r.pick(['&', '|', '|', '<IF>', '<IF>', '<UNLESS>', '+', '-', 'else', 'unless else']);
    // `with` and `without` are about one package: their operands are simple
    if (operator === '+' || operator === '-') {
      const one = this.simple();
      const two = this.simple();
      const group = (text: string) => (text.includes(' ') ? `(${text})` : text);
      return `${group(one)} ${operator} ${group(two)}`;
    }
    if (operator === 'else') return `${operand()} <IF> (${operand()} <ELSE> ${operand()})`;
    if (operator === 'unless else') return `${operand()} <UNLESS> (${operand()} <ELSE> ${operand()})`;
    return `${operand()} ${operator} ${operand()}`;
  }

  package(lines: string[]): string {
    const { r, mix } = this;
    const name = r.pick(this.names);
    const evr = this.evr();
    const [version, release] = evr.split('-') as [string, string];
    const arch = this.chance(mix.architectures) ? r.pick(['i686', 'i686', 'noarch', 'x86_64']) : 'x86_64';
    lines.push(`=Pkg: ${name} ${version} ${release} ${arch}`, `=Prv: ${name} = ${evr}`);
    const several = (tag: string, percent: number, make: () => string) => {
      while (this.chance(percent)) lines.push(`=${tag}: ${make()}`);
    };
    several('Prv', mix.connected ? 45 : 35, () => {
      const capability = r.pick(CAPABILITIES.filter((one) => !one.startsWith('/')));
      return this.chance(50)
        ? capability
        : `${capability} ${this.chance(85) ? '=' : r.pick(OPERATORS)} ${this.version()}`;
    });
    if (this.chance(mix.connected ? 25 : 10)) lines.push(`=Fls: ${r.pick(['/usr/bin/f', '/usr/bin/g'])}`);
    several('Req', mix.connected ? 58 : 45, () => this.dependency());
    several('Con', mix.conflicts, () => this.dependency());
    several('Obs', mix.obsoletes, () => this.simple());
    several('Rec', mix.weak, () => this.dependency());
    several('Sug', mix.weak / 2, () => this.dependency());
    several('Sup', mix.weak / 2, () => this.dependency());
    several('Enh', mix.weak / 3, () => this.dependency());
    return `${name}-${evr}.${arch}`;
  }
}

/** One `.t` file: a pool and some requests. */
export function randomTestFile(seed: number, requests: number): string {
  const r = random(seed);
  const mix: Mix = {
    rich: r.pick([0, 10, 40]),
    weak: r.pick([0, 20, 50]),
    conflicts: r.pick([0, 10, 25]),
    obsoletes: r.pick([0, 0, 15]),
    versions: r.pick([0, 30, 60]),
    architectures: r.pick([0, 20, 60]),
    packages: r.pick([5, 10, 16, 24]),
    connected: false,
  };
  if (r.below(2) === 0)
    Object.assign(mix, {
      rich: r.pick([0, 10]),
      conflicts: r.pick([0, 5, 15]),
      obsoletes: r.pick([0, 0, 4]),
      versions: r.pick([0, 5, 15]),
      packages: r.pick([12, 24, 40, 70]),
      connected: true,
    });
  const writer = new Writer(r, mix);
  const lines: string[] = [];
  const packages: string[] = [];
  const repositories = r.pick([1, 1, 2, 3]);
  for (let i = 0; i < repositories; i++) {
    lines.push(`repo r${i} ${r.pick([0, 0, 10, 20])}.${r.pick([0, 0, 5])} testtags <inline>`, '#>=Ver: 3.0');
    const seen = new Set<string>();
    for (let n = Math.max(1, Math.ceil(mix.packages / repositories)); n > 0; n--) {
      const text: string[] = [];
      const nevra = writer.package(text);
      // a repository has a package once
      if (seen.has(nevra)) continue;
      seen.add(nevra);
      packages.push(`${nevra}@r${i}`);
      lines.push(...text.map((line) => `#>${line}`));
    }
  }
  const coloured = r.below(4) > 0;
  lines.push('system x86_64 rpm');
  if (coloured) lines.push('poolflags implicitobsoleteusescolors');
  for (let i = 0; i < requests; i++) {
    if (i > 0) lines.push('nextjob');
    const weak = r.below(3) > 0;
    lines.push(
      `solverflags urpmreorder bestobeypolicy yumobsoletes keepexplicitobsoletes${weak ? '' : ' ignorerecommended'}`,
    );
    if (r.below(6) === 0) lines.push(`job multiversion name ${r.pick(writer.names)}`);
    for (let n = 1 + r.below(3); n > 0; n--) {
      const flags = [
        ...(r.below(2) === 0 ? ['forcebest'] : []),
        ...(r.below(3) === 0 ? ['setevr', 'setarch'] : []),
        ...(r.below(8) === 0 ? ['weak'] : []),
      ];
      const select = r.below(6);
      const what =
        select < 3
          ? `install name ${r.pick(writer.names)}`
          : select === 3
            ? `install provides ${writer.simple()}`
            : select === 4
              ? `install pkg ${r.pick(packages)}`
              : `install oneof ${[...new Set([r.pick(packages), r.pick(packages), r.pick(packages)])].join(' ')}`;
      lines.push(`job ${what}${flags.length > 0 ? ` [${flags.join(',')}]` : ''}`);
    }
    if (r.below(10) === 0) lines.push(`job erase name ${r.pick(writer.names)}`);
  }
  return `${lines.join('\n')}\n`;
}
