// Says what time it is, and who asks.
import { createServer } from "node:http";
import { hostname, userInfo } from "node:os";

const server = createServer((request, response) => {
  const { username, uid } = userInfo();
  response.end(JSON.stringify({ time: new Date(), path: request.url, hostname: hostname(), username, uid }) + "\n");
});
server.listen(3000, "127.0.0.1", () => console.log("listening"));
process.on("SIGTERM", () => server.close(() => process.exit()));
