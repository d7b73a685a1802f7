/** A connection to a server, opened at the first call. */

import type { ConnectionOptions } from "node:tls";
import type {
  DescMessage,
  DescMethodBiDiStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  MessageShape,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Attempts } from "./attempts.js";
import { cancellation, errorFrom, type FailedCall } from "./failures.js";
import type { CallOptions } from "./options.js";
import { sleep } from "./waits.js";

/** A call that waits for long, as a watch does, must learn when the server's machine is gone. */
const LIVENESS = { pingIntervalMs: 30_000, pingTimeoutMs: 20_000 };

/** Where a server is, and how to speak to it. */
export interface Endpoint {
  readonly address: string;
  readonly apiKey: string | undefined;
  readonly timeoutMs: number;
  readonly tls: boolean | ConnectionOptions;
}

/** The calls of gRPC, with attempts and with the errors of this client. */
export class Wire {
  readonly #endpoint: Endpoint;
  readonly #headers: Headers;
  readonly #sessions: Http2SessionManager;
  readonly #transport: Transport;
  readonly #closing = new AbortController();

  constructor(endpoint: Endpoint) {
    const { address, apiKey, tls } = endpoint;
    const baseUrl = new URL(`${tls ? "https" : "http"}://${address}`).origin;
    this.#endpoint = endpoint;
    this.#headers = new Headers(apiKey ? { authorization: `Bearer ${apiKey}` } : {});
    this.#sessions = new Http2SessionManager(baseUrl, LIVENESS, typeof tls === "object" ? tls : {});
    this.#transport = createGrpcTransport({ baseUrl, sessionManager: this.#sessions });
  }

  /** Make a call. Rejects with QuipuError. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    options: CallOptions,
  ): Promise<MessageShape<O>> {
    const response = await this.#attempts(this.#call(request, options), options).run((timeoutMs) =>
      this.#transport.unary(method, options.signal, timeoutMs, this.#headers, request as never),
    );
    return response.message;
  }

  /**
   * Make a call that is answered in parts; it is not attempted again after the first part. Rejects with QuipuError.
   *
   * Whoever stops reading early aborts the signal.
   */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    options: CallOptions,
  ): AsyncGenerator<MessageShape<O>, void> {
    const call = this.#call(request, options);
    const { parts, first } = await this.#attempts(call, options).run(async (timeoutMs) => {
      const { signal } = options;
      const input = one(request) as AsyncIterable<never>;
      const response = await this.#transport.stream(method, signal, timeoutMs, this.#headers, input);
      const parts = response.message[Symbol.asyncIterator]();
      return { parts, first: await parts.next() };
    });
    try {
      for (let part = first; !part.done; part = await parts.next()) yield part.value;
    } catch (thrown) {
      throw errorFrom(thrown, call);
    } finally {
      // Connect clears its timer for the deadline, which keeps Node.js running, only when the end is read.
      parts.next().catch(() => undefined);
    }
  }

  /**
   * Make a call with messages both ways, once. Rejects with QuipuError.
   *
   * Whoever stops reading early aborts the signal.
   */
  async *exchange<I extends DescMessage, O extends DescMessage>(
    method: DescMethodBiDiStreaming<I, O>,
    requests: AsyncIterable<MessageShape<I>>,
    options: CallOptions,
  ): AsyncGenerator<MessageShape<O>, void> {
    const call = this.#call({}, options);
    try {
      const input = requests as AsyncIterable<never>;
      const response = await this.#transport.stream(method, options.signal, undefined, this.#headers, input);
      yield* response.message;
    } catch (thrown) {
      throw errorFrom(thrown, call);
    }
  }

  /** Milliseconds for calls that bring none. */
  get timeoutMs(): number {
    return this.#endpoint.timeoutMs;
  }

  /** Wait before a call is made anew. Rejects with Cancelled when the signal is aborted or the connection closed. */
  async pause(waitMs: number, options: CallOptions): Promise<void> {
    const call = this.#call({}, options);
    await sleep(waitMs, call.signals);
    const cancelled = cancellation(call);
    if (cancelled) throw cancelled;
  }

  /** End the connection and the calls on it. */
  close(): void {
    const reason = new ConnectError("the client is closed", Code.Canceled);
    this.#closing.abort(reason);
    this.#sessions.abort(reason);
  }

  #call(request: { readonly requestId?: unknown } | object, { signal }: CallOptions): FailedCall {
    const requestId = "requestId" in request ? String(request.requestId) : undefined;
    const signals = signal ? [signal, this.#closing.signal] : [this.#closing.signal];
    return { address: this.#endpoint.address, signals, requestId };
  }

  #attempts(call: FailedCall, { timeoutMs }: CallOptions): Attempts {
    return new Attempts(call, timeoutMs ?? this.#endpoint.timeoutMs);
  }
}

async function* one<T>(item: T): AsyncGenerator<T, void> {
  yield item;
}
