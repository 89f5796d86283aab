import type { Call, Command } from '../command.ts';
import type { Taken } from '../given.ts';
import type { Budget } from '../limits.ts';

const FACTOR: Taken = { known: 'h,exponents' };
/** Digits of the largest number that is tried; a product of two primes of half its size takes too many steps long before. */
const MOST_DIGITS = 60;
const SMALL_PRIMES = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n, 53n, 59n, 61n, 67n, 71n];

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** Miller and Rabin's test with the first primes as bases, which is certain up to 2^81. */
function isPrime(n: bigint, budget: Budget): boolean {
  for (const prime of SMALL_PRIMES) if (n % prime === 0n) return n === prime;
  let odd = n - 1n;
  let twos = 0;
  for (; (odd & 1n) === 0n; odd >>= 1n) twos++;
  for (const base of SMALL_PRIMES) {
    budget.spend(50);
    let x = power(base, odd, n);
    if (x === 1n || x === n - 1n) continue;
    let composite = true;
    for (let i = 1; i < twos && composite; i++) {
      x = (x * x) % n;
      composite = x !== n - 1n;
    }
    if (composite) return false;
  }
  return true;
}

function commonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y > 0n) [x, y] = [y, x % y];
  return x;
}

/** A proper divisor of a composite number, by Pollard's rho. */
function divisor(n: bigint, budget: Budget): bigint {
  for (let step = 1n; ; step++) {
    const next = (x: bigint) => (x * x + step) % n;
    let [slow, fast] = [2n, 2n];
    for (;;) {
      // differences are multiplied, so that one divisor is computed for many steps
      const [from, ahead] = [slow, fast];
      let product = 1n;
      for (let i = 0; i < 64; i++) {
        slow = next(slow);
        fast = next(next(fast));
        product = (product * (slow > fast ? slow - fast : fast - slow)) % n;
      }
      budget.spend(64);
      let found = commonDivisor(product, n);
      if (found === 1n) continue;
      [slow, fast] = [from, ahead];
      do {
        slow = next(slow);
        fast = next(next(fast));
        found = commonDivisor(slow > fast ? slow - fast : fast - slow, n);
      } while (found === 1n);
      if (found < n) return found;
      break;
    }
  }
}

/** The prime factors of a number, smallest first. */
function factors(n: bigint, budget: Budget): bigint[] {
  const out: bigint[] = [];
  let rest = n;
  for (let prime = 2n; prime < 1000n && prime * prime <= rest; prime += prime === 2n ? 1n : 2n) {
    for (; rest % prime === 0n; rest /= prime) out.push(prime);
  }
  budget.spend();
  const waiting = rest > 1n ? [rest] : [];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    if (one < 1_000_000n || isPrime(one, budget)) {
      out.push(one);
      continue;
    }
    const part = divisor(one, budget);
    waiting.push(part, one / part);
  }
  return out.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function factor(call: Call): number {
  const given = call.parse(FACTOR);
  const { budget } = call.shell;
  const words = given.operands.length > 0 ? given.operands : call.input().split(/[ \t\n\v\f\r]+/);
  let status = 0;
  for (const word of words) {
    if (word === '' && given.operands.length === 0) continue;
    budget.spend();
    const digits = /^[ ]*\+?0*([0-9]+)$/.exec(word)?.[1];
    if (digits === undefined) {
      status = call.fail(`'${word}' is not a valid positive integer`);
      continue;
    }
    if (digits.length > MOST_DIGITS) {
      status = call.unsupported(`factor of a number with ${digits.length} digits`);
      continue;
    }
    const n = BigInt(digits);
    const primes = n < 2n ? [] : factors(n, budget);
    const shown = given.has('h')
      ? [...new Set(primes)].map((prime) => {
          const times = primes.filter((one) => one === prime).length;
          return times === 1 ? String(prime) : `${prime}^${times}`;
        })
      : primes;
    call.out(`${n}:${shown.map((prime) => ` ${prime}`).join('')}\n`);
  }
  return status;
}

/** `factor`. */
export const FACTOR_COMMANDS: Readonly<Record<string, Command>> = { factor };
