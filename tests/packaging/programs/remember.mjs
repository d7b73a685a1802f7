import { connect } from "@quipu-memory/client";

const memories = connect(process.argv[2], { space: "typescript" });
await memories.add("Ann is allergic to peanuts.", { tags: ["health"] });
await memories.add("We hiked along the coast and saw dolphins.");
const hits = memories.search("What must Ann not eat?", { k: 1 });
for await (const hit of hits) console.log(hit.memory.content);
console.log(hits.summary.complete);
memories.close();
