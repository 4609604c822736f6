import type { Events } from '#libs/nats/events.ts';

type Connection = ReturnType<Events['connection']>;

/** What is asked of NATS over one connection. */
export type Api = {
  /** Subjects of requests, those that failed among them. */
  readonly asked: string[];
  /** Lets requests on such subjects time out from now on. */
  fail(subjects: RegExp): void;
  heal(): void;
  /** Asks JetStream's own API, past what fails. */
  // biome-ignore lint/suspicious/noExplicitAny: NATS's own, deep answer
  ask(what: string): Promise<any>;
};

/** Stands between a connection and those who ask NATS over it, until disposed. */
export function observeApi(connection: Connection): Api & Disposable {
  const request = connection.request.bind(connection);
  const asked: string[] = [];
  let failing: RegExp | undefined;
  connection.request = async (subject, ...rest) => {
    asked.push(subject);
    if (failing?.test(subject)) throw new Error('timeout');
    return request(subject, ...rest);
  };
  return {
    asked,
    fail(subjects) {
      failing = subjects;
    },
    heal() {
      failing = undefined;
    },
    ask: async (what) => (await request(`$JS.API.${what}`)).json(),
    [Symbol.dispose]() {
      connection.request = request;
    },
  };
}
