import { lazy } from "react";
import { Navigate, useParams, type RouteObject } from "react-router";
import { NotFoundPage, RouteProblem } from "./Problem";
import { RequireMember } from "./session";

const HomePage = lazy(() => import("../pages/home/HomePage"));
const JoinCodePage = lazy(() => import("../pages/home/JoinCodePage"));
const BookingLayout = lazy(() => import("../pages/booking/BookingLayout"));
const ServiceStep = lazy(() => import("../pages/booking/ServiceStep"));
const SlotStep = lazy(() => import("../pages/booking/SlotStep"));
const DetailsStep = lazy(() => import("../pages/booking/DetailsStep"));
const AppointmentPage = lazy(() => import("../pages/appointment/AppointmentPage"));
const SignInPage = lazy(() => import("../pages/auth/SignInPage"));
const LinkPage = lazy(() => import("../pages/auth/LinkPage"));
const DashboardPage = lazy(() => import("../pages/dashboard/DashboardPage"));
const ListPage = lazy(() => import("../pages/appointments/ListPage"));
const DetailPage = lazy(() => import("../pages/appointments/DetailPage"));
const SettingsLayout = lazy(() => import("../pages/settings/SettingsLayout"));
const ServicesPage = lazy(() => import("../pages/settings/ServicesPage"));
const AvailabilityPage = lazy(() => import("../pages/settings/AvailabilityPage"));
const MembersPage = lazy(() => import("../pages/settings/MembersPage"));
const AccountPage = lazy(() => import("../pages/settings/AccountPage"));
// The call and everything before it; livekit-client comes with these alone.
const JoinRoute = lazy(() => import("../call/JoinRoute"));
const CheckRoute = lazy(() => import("../call/CheckRoute"));

/** Mails say `/book/{organisation}`. */
function BookAgain() {
  const { org = "" } = useParams();
  return <Navigate to={`/o/${encodeURIComponent(org)}`} replace />;
}

const pages: RouteObject[] = [
  { index: true, element: <HomePage /> },
  { path: "join", element: <JoinCodePage /> },
  { path: "book/:org", element: <BookAgain /> },
  {
    path: "o/:org",
    element: <BookingLayout />,
    children: [
      { index: true, element: <ServiceStep /> },
      { path: ":service", element: <SlotStep /> },
      { path: ":service/details", element: <DetailsStep /> },
    ],
  },
  { path: "a/:manageToken", element: <AppointmentPage /> },
  { path: "sign-in", element: <SignInPage /> },
  { path: "sign-in/:token", element: <LinkPage /> },
  { path: "sign-in/link/:token", element: <LinkPage /> },
  { path: "j/:token", element: <JoinRoute /> },
  { path: "check", element: <CheckRoute /> },
  {
    element: <RequireMember />,
    children: [
      { path: "dashboard", element: <DashboardPage /> },
      { path: "appointments", element: <ListPage /> },
      { path: "appointments/:id", element: <DetailPage /> },
      {
        path: "settings",
        element: <SettingsLayout />,
        children: [
          { index: true, element: <Navigate to="availability" replace /> },
          { path: "services", element: <ServicesPage /> },
          { path: "availability", element: <AvailabilityPage /> },
          { path: "members", element: <MembersPage /> },
          { path: "account", element: <AccountPage /> },
        ],
      },
    ],
  },
  { path: "*", element: <NotFoundPage /> },
];

export const routes: RouteObject[] = [{ errorElement: <RouteProblem />, children: pages }];
