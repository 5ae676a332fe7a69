import { Suspense, type ReactNode } from "react";
import { RouterProvider as AriaRouterProvider } from "react-aria-components";
import { createBrowserRouter, Outlet, RouterProvider, useHref, useNavigate } from "react-router";
import { LocaleProvider, useT } from "../i18n";
import { Loading } from "../ui";
import { routes } from "./routes";

/** Lets React Aria's links and menus use the router. */
function Root() {
  const navigate = useNavigate();
  return (
    <AriaRouterProvider navigate={(path) => void navigate(path)} useHref={useHref}>
      <Suspense fallback={<PageLoading />}>
        <Outlet />
      </Suspense>
    </AriaRouterProvider>
  );
}

function PageLoading() {
  const t = useT();
  return (
    <main className="page page-narrow">
      <Loading label={t("ui.loading")} />
    </main>
  );
}

const router = createBrowserRouter([
  { element: <Root />, hydrateFallbackElement: <></>, children: routes },
]);

function Languages({ children }: { children: ReactNode }) {
  // The first language file: nothing can be said before it is here.
  return (
    <LocaleProvider>
      <Suspense fallback={null}>{children}</Suspense>
    </LocaleProvider>
  );
}

export function App() {
  return (
    <Languages>
      <RouterProvider router={router} />
    </Languages>
  );
}
