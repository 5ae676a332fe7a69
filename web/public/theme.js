// Runs before the first paint, as a file of its own because the content security policy
// allows no inline script. Kept in step with src/app/theme.ts.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("parley.theme");
  } catch (error) {
    choice = null;
  }
  var dark =
    choice === "dark" ||
    (choice !== "light" && window.matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
