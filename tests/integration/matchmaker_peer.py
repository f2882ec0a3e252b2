"""python matchmaker_peer.py TOKEN [NODE_URL NODE_TOKEN]: a Matchmaker Exchange server.

It is patientMatcher, of another maker, and runs on a free port of this machine with a database in
memory and its 50 benchmark patients; it says its address on the last line. It would ask Ensembl for
other names of genes; here that knows none.
"""

import logging
import os
import sys

os.environ["TESTING"] = "True"  # else it fetches ontologies

import mongomock
import patientMatcher.server
from patientMatcher.resources import path_to_benchmark_patients
from patientMatcher.utils.add import load_demo_patients
from patientMatcher.utils.ensembl_rest_client import EnsemblRestApiClient
from werkzeug.serving import make_server


def main(token: str, node_url: str = "", node_token: str = "") -> None:
    """Serve until the process is ended; a node is a server that it asks in turn."""
    patientMatcher.server.MongoClient = mongomock.MongoClient
    EnsemblRestApiClient.send_request = lambda self, url: {}
    app = patientMatcher.server.create_app()
    logging.disable(logging.CRITICAL)
    app.db["clients"].insert_one({"_id": "dazzle", "auth_token": token})
    load_demo_patients(path_to_benchmark_patients, app.db)
    if node_url:
        node = {
            "_id": "dazzle",
            "label": "Dazzle",
            "matching_url": f"{node_url}match",
            "auth_token": node_token,
            "accepted_content": "application/vnd.ga4gh.matchmaker.v1.0+json",
        }
        app.db["nodes"].insert_one(node)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    sys.stdout.write(f"\nhttp://127.0.0.1:{server.server_port}/\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
