import type { Agent, Dispatcher } from 'undici';

/**
 * The parts of undici that fetching needs, each from its own file: all of undici (fetch, WebSocket, caches, mocks) takes
 * three times as long to load, which a build that only asks whether an index still holds would feel.
 */
const part = async (path: string): Promise<unknown> =>
  ((await import(`undici/lib/${path}.js`)) as { default: unknown }).default;

/** The client that keeps connections open. */
export async function agentClass(): Promise<typeof Agent> {
  return (await part('dispatcher/agent')) as typeof Agent;
}

/** Sends a GET through a dispatcher. */
export async function request(
  dispatcher: Dispatcher,
  url: URL,
  options: Pick<Dispatcher.RequestOptions, 'headers' | 'signal'>,
): Promise<Dispatcher.ResponseData> {
  const send = (await part('api/api-request')) as (
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ) => Promise<Dispatcher.ResponseData>;
  return send.call(dispatcher, { ...options, origin: url.origin, path: `${url.pathname}${url.search}`, method: 'GET' });
}
