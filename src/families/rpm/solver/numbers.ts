/** A list of numbers in a typed array that grows. Read `array` again after anything that may have pushed. */
export class Numbers {
  array: Int32Array;
  length = 0;

  constructor(capacity = 64) {
    this.array = new Int32Array(capacity);
  }

  /** Numbers that are there already; the array itself stays as it is. */
  static of(array: Int32Array): Numbers {
    const numbers = new Numbers(0);
    numbers.array = array;
    numbers.length = array.length;
    return numbers;
  }

  push(value: number): void {
    if (this.length === this.array.length) this.reserve(1);
    this.array[this.length++] = value;
  }

  /** Makes room for `count` more. */
  reserve(count: number): void {
    if (this.length + count <= this.array.length) return;
    const wider = new Int32Array(Math.max(this.array.length * 2, this.length + count));
    wider.set(this.array);
    this.array = wider;
  }

  /** A copy of what was pushed. */
  finish(): Int32Array {
    return this.array.slice(0, this.length);
  }
}
