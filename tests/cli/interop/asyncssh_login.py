"""Logs in with a certificate of the agent at SSH_AUTH_SOCK and nothing else: HOST PORT USER."""

import asyncio
import os
import sys

import asyncssh


async def main(host, port, user):
    async with asyncssh.connect_agent(os.environ["SSH_AUTH_SOCK"]) as agent:
        keys = list(await agent.get_keys())
        assert keys, "the agent lists no keys"
        async with asyncssh.connect(
            host,
            int(port),
            username=user,
            known_hosts=None,
            # asyncssh tries the SHA-2 name of an RSA certificate only while it has another key left.
            client_keys=keys * 2,
            agent_path=None,
            config=None,
        ) as connection:
            result = await connection.run("echo asyncssh is in", check=True)
            print(result.stdout, end="")


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 40))
