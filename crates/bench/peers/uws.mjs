// Fan-out as uWebSockets.js does it: everybody subscribes to one topic, and what comes in at /pub is published to it.
import { createRequire } from 'node:module';

const { platform, arch, versions } = process;
// The package falls back to JavaScript where its binary does not load; what is measured is the binary.
const binary = `@trufflesuite/uws-js-unofficial/dist/uws_${platform}_${arch}_${versions.modules}.node`;
let uws;
try {
    uws = createRequire(import.meta.url)(binary);
} catch (error) {
    console.log(`there is no ${binary} for this Node.js (${versions.node}): ${error.message.split('\n')[0]}`);
    process.exit(1);
}

const app = uws.App();
// A backlog that a slow moment of this machine cannot fill: a frame that is dropped would not be counted.
const settings = { compression: uws.DISABLED, idleTimeout: 0, maxBackpressure: 64 << 20 };
app.ws('/pub', { ...settings, message: (_socket, message) => app.publish('everybody', message, false) });
app.ws('/*', { ...settings, open: (socket) => socket.subscribe('everybody') });
app.listen('127.0.0.1', 0, (listening) => {
    console.log(listening ? `127.0.0.1:${uws.us_socket_local_port(listening)}` : 'it could not listen');
});
