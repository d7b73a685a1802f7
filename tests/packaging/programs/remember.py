import sys

import quipu

with quipu.connect_sync(sys.argv[1], space="python") as memories:
    memories.add("Ann is allergic to peanuts.", tags=["health"])
    memories.add("We hiked along the coast and saw dolphins.")
    hits = memories.search("What must Ann not eat?", k=1)
    print([hit.memory.content for hit in hits], hits.summary.complete)
