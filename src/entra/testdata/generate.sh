#!/bin/sh
# Makes the keys of this folder, and the JSON Web Key of the longer one the way the Azure CLI forms it, with nothing of
# entra-ssh: base64url, padded, of the mpints in the key blob; kid = hex SHA-256 over n and e as text. Then two client
# certificates with their keys, one of them as PKCS#12 as well.
set -eu
cd "$(dirname "$0")"
for bits in 1024 2048; do
    openssl genrsa -traditional "$bits" 2>/dev/null >key.pem
    chmod 600 key.pem
    printf '%s test\n' "$(ssh-keygen -y -f key.pem)" >"rsa$bits.pub"
done
rm -f key.pem
python3 - <<'PYTHON' >rsa2048.jwk
import base64, hashlib, struct
blob = base64.b64decode(open("rsa2048.pub").read().split()[1])
fields = []
while blob:
    (length,) = struct.unpack(">I", blob[:4])
    fields.append(blob[4 : 4 + length])
    blob = blob[4 + length :]
e, n = (base64.urlsafe_b64encode(field).decode() for field in fields[1:])
kid = hashlib.sha256((n + e).encode()).hexdigest()
print('{"kty":"RSA","n":"%s","e":"%s","kid":"%s"}' % (n, e, kid))
PYTHON
for name in client other; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj "/CN=$name.example" -keyout key.pem -out certificate.pem 2>/dev/null
    cat certificate.pem key.pem >"$name.pem"
    if [ "$name" = client ]; then
        openssl pkcs12 -export -in client.pem -passout 'pass:correct horse' -out client.pfx
    fi
done
rm -f key.pem certificate.pem
