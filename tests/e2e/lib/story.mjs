// Tests that are steps of one story: after a step has failed, the rest says so at once.
import { test } from 'node:test';

/** `people()` gives the persons by name; when a step fails, what each of them sees is kept as a picture. */
export function story(label, people) {
  let failed;
  return (name, run) =>
    test(name, async (context) => {
      if (failed) {
        context.skip(`“${failed}” failed before`);
        return;
      }
      try {
        await run();
      } catch (error) {
        failed = name;
        for (const [who, person] of Object.entries(people())) {
          await person?.shot(`failed-${label}-${who}`).catch(() => {});
          console.log(`${who} at ${person?.url()}:`, person?.console.slice(-8));
        }
        throw error;
      }
    });
}
