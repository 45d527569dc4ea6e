"""moto's S3 with an empty bucket `lake`, until standard input ends. It prints the address for AWS_ENDPOINT_URL.

PYTHON tests/moto/serve.py, where the package moto[s3,server] is installed.
"""

import logging
import os
import sys

os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="us-east-1")

import boto3  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
address = f"http://{host}:{port}"
boto3.client("s3", endpoint_url=address).create_bucket(Bucket="lake")
print(address, flush=True)
sys.stdin.read()
server.stop()
