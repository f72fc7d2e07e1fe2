#!/usr/bin/env python3
"""Sends every request of tests/integration/webhook/http_corpus.txt to the gateway's webhook listener and to a real nginx,
and says where they differ. What nginx refuses (it calls it ambiguous) and the gateway takes is an error: exit status 1.

    apt-get download nginx && dpkg-deb -x nginx_*.deb nginx    # installing it would start a server
    tools/http_differential/compare.py build/dev/bin/aulm-gateway nginx/usr/sbin/nginx

Both run on free ports of the loopback interface, with a configuration of their own in a temporary folder. nginx passes
requests on to a second server of its own, so that it reads whole bodies before it answers. No test: ./dev test holds the
gateway to the corpus's verdicts, without nginx."""
import hashlib
import hmac
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

SECRET = "whsec_of_the_corpus"
CORPUS = os.path.join(os.path.dirname(__file__), "../../tests/integration/webhook/http_corpus.txt")

NGINX_CONFIG = """
daemon off;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  client_header_timeout 5s; client_body_timeout 5s; lingering_time 1s; lingering_timeout 1s;
  client_max_body_size 1m; large_client_header_buffers 2 8k;
  proxy_ignore_client_abort on;  # peers say at once that no more follows
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; }} }}
  server {{ listen 127.0.0.1:{behind}; location / {{ return 200 "taken"; }} }}
}}
"""

MACROS = {
    "P": b"POST /webhooks/aulm HTTP/1.1\r\n",
    "H": b"Host: a\r\n",
    "S": b"X-Aulm-Signature: sha256=" + hmac.new(SECRET.encode(), b"hi", hashlib.sha256).hexdigest().encode() + b"\r\n",
    "B": b"Content-Length: 2\r\n\r\nhi",
}
ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


def expand(text):
    """The bytes that a row of the corpus stands for; the corpus itself describes its language."""
    out = bytearray()
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1] == "x":
            out.append(int(text[at + 2 : at + 4], 16))
            at += 4
        elif text[at] == "\\":
            out += ESCAPES[text[at + 1]]
            at += 2
        elif text[at] == "{":
            end = text.index("}", at)
            inside = text[at + 1 : end]
            times, star, repeated = inside.partition("*")
            out += expand(repeated) * int(times) if star else MACROS[inside]
            at = end + 1
        else:
            out.append(ord(text[at]))
            at += 1
    return bytes(out)


def read_corpus(path=CORPUS):
    """[(verdict, name, bytes)]"""
    rows = []
    with open(path, encoding="ascii") as corpus:
        for line in corpus:
            if line.startswith("#") or line == "\n":
                continue
            verdict, name, text = line.rstrip("\n").split(" | ", 2)
            rows.append((verdict, name, expand(text)))
    return rows


def statuses(port, request):
    """The statuses of the answers on one connection, up to its end, as "100 200"; "-" when there is none."""
    answer = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as peer:
        try:
            peer.sendall(request)
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        try:
            while more := peer.recv(65536):
                answer += more
        except OSError:
            pass
    return " ".join(re.findall(r"HTTP/1\.1 (\d{3})", answer.decode("latin-1"))) or "-"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_gateway(binary, folder):
    environment = {
        "AULM_API_KEY": "alm_sk_test_differential",
        "AULM_WEBHOOK_SECRET": SECRET,
        "GATEWAY_GRPC_LISTEN": "127.0.0.1:0",
        "GATEWAY_WEBHOOK_LISTEN": "127.0.0.1:0",
        "GATEWAY_ADMIN_LISTEN": "127.0.0.1:0",
        "GATEWAY_STORE": f"sqlite://{folder}/store",
    }
    with open(f"{folder}/gateway.log", "w", encoding="ascii") as log:
        gateway = subprocess.Popen([binary], env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    for line in gateway.stdout:
        if line.startswith("listening webhook "):
            return gateway, int(line.rsplit(":", 1)[1])
    sys.exit(f"the gateway did not start: see {folder}/gateway.log")


def start_nginx(binary, folder):
    port, behind = free_port(), free_port()
    with open(f"{folder}/nginx.conf", "w", encoding="ascii") as config:
        config.write(NGINX_CONFIG.format(folder=folder, port=port, behind=behind))
    nginx = subprocess.Popen([binary, "-p", folder, "-c", f"{folder}/nginx.conf"], stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return nginx, port
        except OSError:
            time.sleep(0.05)
    sys.exit("nginx did not start")


def taken(answers):
    return answers.split().count("200")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        gateway, gateway_port = start_gateway(sys.argv[1], folder)
        nginx, nginx_port = start_nginx(sys.argv[2], folder)
        try:
            looser, stricter, same = [], [], 0
            rows = read_corpus()
            for _, name, request in rows:
                ours, theirs = statuses(gateway_port, request), statuses(nginx_port, request)
                if taken(ours) > taken(theirs):
                    looser.append((name, ours, theirs))
                elif taken(ours) < taken(theirs):
                    stricter.append((name, ours, theirs))
                else:
                    same += 1
        finally:
            gateway.terminate()
            nginx.terminate()
            gateway.wait()
            nginx.wait()
    for title, differing in (("the gateway alone refuses", stricter), ("THE GATEWAY ALONE TAKES", looser)):
        for name, ours, theirs in differing:
            print(f"{title}: {name}: gateway {ours}, nginx {theirs}")
    print(f"{len(rows)} requests: {same} alike, {len(stricter)} that the gateway alone refuses, {len(looser)} that it alone takes")
    return 1 if looser else 0


if __name__ == "__main__":
    sys.exit(main())
