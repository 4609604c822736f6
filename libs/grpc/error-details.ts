import type { CallOptions, ClientMiddleware } from 'nice-grpc-common';
import { ClientError } from 'nice-grpc-common';
import { RichClientError } from 'nice-grpc-error-details';
import { Status as RpcStatus } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { DETAIL_TYPES, DETAILS_METADATA } from '#libs/grpc/status.ts';

/**
 * Gives an error the details of its status. The library's own middleware decodes them in an event handler, where details that
 * are no message end the process; a server may be a sandbox.
 */
export const readErrorDetails: ClientMiddleware = async function* readErrorDetails(call, options: CallOptions) {
  let details: Uint8Array | undefined;
  try {
    return yield* call.next(call.request, {
      ...options,
      onTrailer(trailer) {
        details = trailer.get(DETAILS_METADATA);
        options.onTrailer?.(trailer);
      },
    });
  } catch (error) {
    if (!details || !(error instanceof ClientError)) throw error;
    throw new RichClientError(error.path, error.code, error.details, decode(details));
  }
};

/** The details that are read anywhere. None where the bytes are no status: its code still counts. */
function decode(bytes: Uint8Array): RichClientError['extra'] {
  try {
    return RpcStatus.decode(bytes).details.flatMap(({ typeUrl, value }) => {
      const type = Object.values(DETAIL_TYPES).find(({ $type }) => typeUrl.endsWith(`/${$type}`));
      return type ? [type.decode(value)] : [];
    });
  } catch {
    return [];
  }
}
