import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { FileError } from "../errors.ts";
import { openCached } from "./cached.web.ts";

/** What is opened of a server that answers everything so. */
async function opened(status: number, type: string): Promise<unknown> {
  const server = createServer((_, response) => void response.writeHead(status, { "content-type": type }).end("<p>"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await openCached(`http://127.0.0.1:${(server.address() as AddressInfo).port}/model.safetensors`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

it("a page in the place of a file says that it is missing, and the page of an error does not", async () => {
  expect(await opened(200, "text/html; charset=utf-8")).toBeUndefined();
  expect(await opened(404, "text/html")).toBeUndefined();
  expect(await opened(200, "application/octet-stream")).toBeDefined();
  await expect(opened(503, "text/html")).rejects.toThrow(FileError);
});
