// Fan-out as Socket.IO does it: what one socket says goes to all others.
import { createServer } from 'node:http';

let socketIo;
try {
    socketIo = await import('socket.io');
} catch (error) {
    console.log(`the package socket.io is not there: ${error.message.split('\n')[0]}`);
    process.exit(1);
}

const http = createServer();
const io = new socketIo.Server(http, {
    transports: ['websocket'],
    serveClient: false,
    perMessageDeflate: false,
    // Longer than a measurement: clients here do not answer its pings.
    pingInterval: 600_000,
    pingTimeout: 600_000,
});
io.on('connection', (socket) => socket.on('m', (text) => socket.broadcast.emit('m', text)));
http.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => console.log(`127.0.0.1:${http.address().port}`));
