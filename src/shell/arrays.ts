import type { Budget } from './limits.ts';

/** Buckets of bash's tables for associative arrays, which decide the order of their keys. */
const BUCKETS = 1024;

/** An array of bash. A subshell changes a copy: see {@link ShellArray.owner}. */
export class ShellArray {
  readonly associative: boolean;
  /** The shell that may change it in place; any other one copies it first. */
  readonly owner: object;
  readonly #values: Map<string, string>;
  #most = -1;
  #sorted = true;

  constructor(associative: boolean, owner: object, values: Iterable<readonly [string, string]> = []) {
    this.associative = associative;
    this.owner = owner;
    this.#values = new Map();
    for (const [key, value] of values) this.set(key, value);
  }

  get size(): number {
    return this.#values.size;
  }

  /** The index after the highest one. */
  get next(): number {
    if (this.#most >= 0 && !this.#values.has(String(this.#most))) {
      this.#most = -1;
      for (const key of this.#values.keys()) this.#most = Math.max(this.#most, Number(key));
    }
    return this.#most + 1;
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: string): void {
    if (!this.associative) {
      const index = Number(key);
      if (index < this.#most && !this.#values.has(key)) this.#sorted = false;
      this.#most = Math.max(this.#most, index);
    }
    this.#values.set(key, value);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  /** Keys and values in bash's order: by index, or by the hash of the key. */
  entries(budget: Budget): (readonly [string, string])[] {
    budget.spend(1 + (this.#values.size >>> 3));
    const all = [...this.#values];
    if (this.associative) {
      const places = new Map(all.map(([key], i) => [key, { bucket: hash(key) & (BUCKETS - 1), i }]));
      budget.spend(all.length);
      // within a bucket the newest comes first
      return all.sort(([a], [b]) => {
        const [x, y] = [places.get(a)!, places.get(b)!];
        return x.bucket - y.bucket || y.i - x.i;
      });
    }
    if (!this.#sorted) {
      budget.spend(all.length);
      all.sort(([a], [b]) => Number(a) - Number(b));
      this.#values.clear();
      for (const [key, value] of all) this.#values.set(key, value);
      this.#sorted = true;
    }
    return all;
  }

  /** A copy that another shell may change. */
  copy(owner: object, budget: Budget): ShellArray {
    budget.spend(1 + (this.#values.size >>> 1));
    return new ShellArray(this.associative, owner, this.#values);
  }
}

/** FNV-1 in 32 bits, as hash_string() of bash's hashlib.c computes it. */
function hash(key: string): number {
  let value = 2166136261;
  for (let i = 0; i < key.length; i++) value = Math.imul(value, 16777619) ^ key.charCodeAt(i);
  return value >>> 0;
}
