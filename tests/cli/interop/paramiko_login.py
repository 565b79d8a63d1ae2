"""Logs in with a certificate of the agent at SSH_AUTH_SOCK and nothing else: HOST PORT USER."""

import sys

import paramiko

host, port, user = sys.argv[1:]
(key,) = paramiko.Agent().get_keys()
# Of a certificate that an agent lists, paramiko sends the bare key unless it is told.
key.public_blob = key.inner_key.public_blob
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect(
    host, int(port), user, pkey=key, allow_agent=False, look_for_keys=False, timeout=20
)
_, stdout, _ = client.exec_command("echo paramiko is in", timeout=20)
print(stdout.read().decode(), end="")
client.close()
