/** How long to wait, in milliseconds. */
export interface Timeouts {
  /** For a connection. */
  readonly connect: number;
  /** For the first line of an answer. */
  readonly headers: number;
  /** For the next piece of a body. */
  readonly body: number;
}
