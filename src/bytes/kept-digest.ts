/** Digests in one page, and the bytes of one. */
const ROWS = 1024;
const SIZE = 32;

/** SHA-256 digests side by side. The page lives as long as one of the contents whose digests it has. */
class Page {
  readonly bytes = Buffer.allocUnsafeSlow(ROWS * SIZE);
  used = 0;
}

let page = new Page();

/**
 * A content that keeps its SHA-256. One that is computed is kept in a page with others: as a text in a property of its own it
 * would take 120 bytes instead of 48, of which a root file system has as many as it has files.
 */
export abstract class Digested {
  private kept: string | Page | undefined;
  private row = 0;

  /** `sha256` in hex, where it is known from the start. */
  constructor(sha256?: string) {
    this.kept = sha256;
  }

  /** SHA-256 in hex, if it is known. */
  get sha256(): string | undefined {
    const { kept, row } = this;
    return typeof kept === 'object' ? kept.bytes.toString('hex', row * SIZE, (row + 1) * SIZE) : kept;
  }

  set sha256(hex: string) {
    if (page.used === ROWS) page = new Page();
    this.row = page.used++;
    this.kept = page;
    page.bytes.write(hex, this.row * SIZE, SIZE, 'hex');
  }
}
