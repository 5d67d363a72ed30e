// Echoes on whatever is upgraded.
const { WebSocketServer } = require('ws');

exports.attach = (server) => {
  new WebSocketServer({ server }).on('connection', (socket) => {
    socket.on('message', (data) => socket.send(`echo ${data}`));
    socket.on('error', () => undefined);
  });
};
