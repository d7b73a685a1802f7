/** Request ids. */

import { createHash, randomUUID } from "node:crypto";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The caller's request id, or a new one, so that another attempt has no second effect. */
export function requestIdOrNew(requestId: string | undefined): string {
  return requestId || randomUUID();
}

/** The UUID of a name in the namespace of another UUID: RFC 9562, version 5. Throws TypeError for what is no UUID. */
export function uuid5(namespace: string, name: string): string {
  const hash = createHash("sha1").update(bytesOf(namespace)).update(name).digest().subarray(0, 16);
  hash[6] = (hash.readUInt8(6) & 0x0f) | 0x50;
  hash[8] = (hash.readUInt8(8) & 0x3f) | 0x80;
  return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function bytesOf(uuid: string): Buffer {
  if (!UUID.test(uuid)) throw new TypeError(`${JSON.stringify(uuid)} is not a UUID`);
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}
