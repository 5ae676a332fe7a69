import { lazy } from "react";
import type { RouteObject } from "react-router";

const JoinRoute = lazy(() => import("../call/JoinRoute"));
const CheckRoute = lazy(() => import("../call/CheckRoute"));

export const routes: RouteObject[] = [
  { path: "/j/:token", element: <JoinRoute /> },
  { path: "/check", element: <CheckRoute /> },
];
