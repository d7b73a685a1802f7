/** A fake server: real gRPC on a free port of this machine. */

import { once } from "node:events";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { connect, type Client, type ConnectOptions } from "@quipu-memory/client";

/** A server that can be cut off and started again. */
export class FakeServer {
  port = 0;
  readonly #routes: (router: ConnectRouter) => void;
  readonly #sessions = new Set<ServerHttp2Session>();
  #server: Http2Server | undefined;

  constructor(routes: (router: ConnectRouter) => void) {
    this.#routes = routes;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Listen, on the same port as before if there is one. */
  async start(): Promise<void> {
    this.#server = createServer(connectNodeAdapter({ routes: this.#routes, connect: false, grpcWeb: false }));
    this.#server.on("session", (session) => this.#sessions.add(session));
    this.#server.listen(this.port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** Break all connections. */
  cut(): void {
    for (const session of this.#sessions) session.destroy();
    this.#sessions.clear();
  }

  /** Stop at once. */
  async stop(): Promise<void> {
    this.cut();
    const server = this.#server;
    this.#server = undefined;
    if (server) await new Promise((resolve) => server.close(resolve));
  }
}

/** Start a server and a client for a test, which stop after it. */
export async function serving(
  test: TestContext,
  routes: (router: ConnectRouter) => void,
  options: ConnectOptions = {},
): Promise<{ server: FakeServer; client: Client }> {
  const server = new FakeServer(routes);
  await server.start();
  const client = connect(server.address, { space: "a", ...options });
  test.after(async () => {
    client.close();
    await server.stop();
  });
  return { server, client };
}
