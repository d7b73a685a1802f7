/** Measures the client against its generated stub. Side in bench/overhead says how it is spoken to. */

import { createInterface } from "node:readline";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { connect } from "@quipu-memory/client";
import { EmbeddingService } from "@quipu-memory/client/v1";

const address = process.env["QUIPU_ADDRESS"] ?? "";
const calls = Number(process.env["QUIPU_CALLS"]);

const baseUrl = `http://${address}`;
const sessionManager = new Http2SessionManager(baseUrl);
const stub = createClient(EmbeddingService, createGrpcTransport({ baseUrl, sessionManager }));
const client = connect(address);

for await (const _ of createInterface({ input: process.stdin })) {
  /** Nanoseconds of each call. */
  const taken = { facade: new Array<number>(), stub: new Array<number>() };
  const turns = [
    { ask: () => client.models(), taken: taken.facade },
    { ask: () => stub.listModels({}), taken: taken.stub },
  ];
  for (let call = 0; call < calls; call++) {
    for (const turn of turns) {
      const start = process.hrtime.bigint();
      await turn.ask();
      turn.taken.push(Number(process.hrtime.bigint() - start));
    }
    turns.reverse();
  }
  console.log(JSON.stringify(taken));
}
client.close();
sessionManager.abort();
