export * from "./format";
export * from "./hourCycle";
export * from "./now";
export * from "./zones";
