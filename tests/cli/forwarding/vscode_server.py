"""Listens on a port and on the socket that it is told, as VS Code's server does, and says to each caller whose it is."""

import os
import selectors
import socket
import sys

# Ends by itself if the test could not end it.
MAX_IDLE_SECONDS = 600

listeners = selectors.DefaultSelector()
tcp = socket.create_server(("127.0.0.1", 0))
local = socket.socket(socket.AF_UNIX)
local.bind(sys.argv[1])
local.listen()
for listener in (tcp, local):
    listeners.register(listener, selectors.EVENT_READ)
for name, number in (("pid", os.getpid()), ("port", tcp.getsockname()[1])):
    with open(name + ".new", "w", encoding="ascii") as file:
        file.write(str(number))
    os.rename(name + ".new", name)
while ready := listeners.select(MAX_IDLE_SECONDS):
    for key, _ in ready:
        caller, _ = key.fileobj.accept()
        caller.sendall(f"the server of {os.environ['USER']}\n".encode())
        caller.close()
