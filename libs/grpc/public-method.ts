import type { Call } from '#libs/grpc/rpc.ts';

/** A method that serves unauthenticated clients. Its messages are bytes. */
export type PublicMethod = {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  /** Decides on a call by its metadata, before a byte of a message is read. Throws the error to answer with. */
  admit(call: Call): Promise<AdmittedCall>;
};

/** An admitted call; disposed when it ends. */
export type AdmittedCall = Disposable & {
  /** Counts bytes of requests as they arrive. Throws the error to answer with if there is no room for them. */
  arrived(bytes: number): void;
  /** Bytes that arrived are no longer kept. */
  passedOn(bytes: number): void;
  /** One message or a stream of them, each way as the method has it. */
  answer(request: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> | AsyncIterable<Uint8Array>;
};
