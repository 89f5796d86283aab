/**
 * Parts of undici that are loaded by themselves: all of it takes a tenth of a second to load, with its caches, mocks and
 * web sockets. undici is pinned, so that its files are where they are.
 */
declare module 'undici/lib/dispatcher/agent.js' {
  export { Agent as default } from 'undici';
}
declare module 'undici/lib/api/api-request.js' {
  import type { Dispatcher } from 'undici';
  /** Sends a request by the dispatcher that it is called on. */
  export default function request(
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ): Promise<Dispatcher.ResponseData>;
}
