import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/door.css";
import "./styles/workspace.css";
import "./styles/messages.css";
import "./styles/content.css";
import "./styles/reading.css";
import "./styles/composer.css";
import "./styles/overlays.css";
import "./styles/emoji.css";
import "./styles/sidebar.css";
import "./styles/places.css";
import "./styles/density.css";
import { startLook } from "./store/look";
import { App } from "./views/App";

startLook();
createRoot(document.getElementById("root")!).render(<App />);
