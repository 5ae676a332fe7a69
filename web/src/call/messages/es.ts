import type { Translation } from "../../i18n/catalogue";
import type en from "./en";

const es: Translation<typeof en> = {
  loading: "Cargando su cita…",
  "action.try_again": "Volver a intentar",
  "action.rejoin": "Volver a entrar",
  "action.close": "Cerrar",
  "action.done": "Listo",
  "action.without": "Seguir sin ello",

  "summary.provider_time": "{time} para {name}",

  "prejoin.title": "¿Todo listo para entrar?",
  "prejoin.next_client": "Primero estará en la sala de espera hasta que le hagan pasar.",
  "prejoin.next_provider": "Entra directamente en la llamada.",
  "prejoin.name": "Su nombre",
  "prejoin.name_help": "Los demás lo ven en la llamada.",
  "prejoin.name_missing": "Escriba su nombre para que los demás sepan quién es.",
  "prejoin.join": "Entrar",
  "prejoin.failed": "No se ha podido entrar",
  "prejoin.failed_help": "Compruebe su conexión y vuelva a elegir Entrar.",

  "self.label": "Su cámara",
  "self.camera_off": "Su cámara está apagada",
  "self.starting": "Iniciando la cámara…",

  "device.camera": "Cámara",
  "device.microphone": "Micrófono",
  "device.speaker": "Altavoz",
  "device.camera_number": "Cámara {number}",
  "device.microphone_number": "Micrófono {number}",
  "device.speaker_number": "Altavoz {number}",
  "device.default": "Predeterminado de este dispositivo",
  "device.none": "No se ha encontrado ninguno",
  "device.choose_camera": "Elegir cámara",
  "device.choose_microphone": "Elegir micrófono y altavoz",
  "device.test_speaker": "Probar sonido",
  "device.test_playing": "Sonando…",
  "device.speak": "Diga algo: las barras se mueven",
  "device.microphone_is_off": "Su micrófono está apagado",

  "verdict.checking": "Comprobando su conexión…",
  "verdict.good": "Su conexión es buena.",
  "verdict.fair": "Su conexión es suficiente. La imagen puede ser menos nítida.",
  "verdict.poor": "Su conexión es lenta. Acérquese al router o entre con la cámara apagada.",
  "verdict.offline": "Sin conexión con el servidor. Compruebe el wifi o los datos móviles.",
  "verdict.blocked":
    "Esta red o este navegador bloquea las llamadas. Pruebe otra red o desactive la VPN.",

  "trouble.insecure":
    "Esta página no es segura, por eso el navegador oculta la cámara y el micrófono",
  "trouble.unsupported": "Este navegador no da acceso a la cámara ni al micrófono",
  "trouble.denied.camera": "La cámara está bloqueada",
  "trouble.denied.microphone": "El micrófono está bloqueado",
  "trouble.denied.both": "La cámara y el micrófono están bloqueados",
  "trouble.not_found.camera": "No se ha encontrado ninguna cámara",
  "trouble.not_found.microphone": "No se ha encontrado ningún micrófono",
  "trouble.not_found.both": "No se ha encontrado cámara ni micrófono",
  "trouble.in_use.camera": "La cámara no se inicia",
  "trouble.in_use.microphone": "El micrófono no se inicia",
  "trouble.in_use.both": "La cámara y el micrófono no se inician",
  "trouble.lost.camera": "La cámara se ha desconectado",
  "trouble.lost.microphone": "El micrófono se ha desconectado",
  "trouble.lost.both": "La cámara y el micrófono se han desconectado",
  "trouble.failed.camera": "La cámara no funciona",
  "trouble.failed.microphone": "El micrófono no funciona",
  "trouble.failed.both": "La cámara y el micrófono no funcionan",
  "trouble.join_anyway": "También puede entrar sin ello.",
  "trouble.join_without_camera": "También puede entrar solo con sonido.",

  "advice.denied.chrome":
    "Elija el icono a la izquierda de la dirección, permita la cámara y el micrófono y vuelva a intentarlo.",
  "advice.denied.firefox":
    "Elija la cámara o el micrófono tachado a la izquierda de la dirección, quite el bloqueo y vuelva a intentarlo.",
  "advice.denied.safari":
    "En el menú Safari, abra Ajustes para este sitio web, ponga cámara y micrófono en Permitir y vuelva a intentarlo.",
  "advice.denied.ios":
    "Abra Ajustes, su navegador, permita Cámara y Micrófono y vuelva a cargar esta página.",
  "advice.denied.android":
    "Elija el icono a la izquierda de la dirección, luego Permisos, permita la cámara y el micrófono y vuelva a intentarlo.",
  "advice.denied.other":
    "Permita la cámara y el micrófono para esta página en los ajustes de su navegador y vuelva a intentarlo.",
  "advice.system.macos":
    "Abra Ajustes del Sistema, Privacidad y seguridad, y permita su navegador en Cámara y Micrófono. Después reinicie el navegador.",
  "advice.system.windows":
    "Abra Configuración, Privacidad, Cámara y Micrófono, y permita el acceso a las aplicaciones de escritorio. Después vuelva a intentarlo.",
  "advice.system.other":
    "Permita que su navegador use la cámara y el micrófono en los ajustes del dispositivo y vuelva a intentarlo.",
  "advice.not_found": "Conéctelo o enciéndalo. Se usará en cuanto se encuentre.",
  "advice.in_use":
    "Cierre otros programas que lo usen, como otra llamada. Después vuelva a intentarlo.",
  "advice.lost": "Vuelva a conectarlo o elija otro.",
  "advice.insecure": "Abra el enlace con https:// delante, tal como estaba en su invitación.",
  "advice.unsupported": "Use una versión actual de Chrome, Edge, Firefox o Safari.",
  "advice.failed":
    "Desconéctelo y vuelva a conectarlo, o reinicie el navegador. Después vuelva a intentarlo.",

  "waiting.title": "Está en la sala de espera",
  "waiting.next": "{name} sabe que está aquí y le hará pasar. Quédese en esta página.",
  "waiting.since": "Espera desde hace",
  "waiting.starts": "Inicio previsto",
  "waiting.privacy": "Nadie le ve ni le oye antes de que le hagan pasar.",
  "waiting.leave": "Salir de la sala de espera",

  "early.title": "Ha llegado pronto",
  "early.opens_in": "Podrá entrar dentro de",
  "early.opens_at": "A partir de: {time}",
  "early.stay":
    "Puede dejar esta página abierta: avanza sola. Mientras tanto, compruebe que todo funciona.",

  "call.stage": "Personas en la llamada",
  "call.connecting": "Conectando…",
  "call.alone": "{name} llegará pronto.",
  "call.alone_nobody_waits": "Aún no espera nadie. Aquí verá quién llega.",
  "call.alone_someone_waits": "Alguien espera. Hágale pasar desde la lista.",

  "tile.guest": "Invitado",
  "tile.you": "{name} (usted)",
  "tile.screen_of": "Pantalla de {name}",
  "tile.your_screen": "Su pantalla",
  "tile.muted": "Micrófono apagado",
  "tile.pin": "Mantener grande a {name}",
  "tile.unpin": "Dejar de mantener grande a {name}",
  "tile.stalled": "Conexión perdida. Esperando…",

  "quality.excellent": "Conexión: muy buena",
  "quality.good": "Conexión: buena",
  "quality.poor": "Conexión: débil",
  "quality.lost": "Conexión: perdida",
  "quality.unknown": "Conexión: aún sin medir",

  "control.bar": "Controles de la llamada",
  "control.camera_on": "Encender la cámara",
  "control.camera_off": "Apagar la cámara",
  "control.microphone_on": "Encender el micrófono",
  "control.microphone_off": "Apagar el micrófono",
  "control.flip": "Cambiar entre cámara delantera y trasera",
  "control.share": "Compartir su pantalla",
  "control.share_short": "Compartir",
  "control.share_stop": "Dejar de compartir su pantalla",
  "control.layout_grid": "Mostrar a todos igual",
  "control.layout_speaker": "Mostrar grande a quien habla",
  "control.layout_short": "Vista",
  "control.people": "Personas",
  "control.people_short": "Personas",
  "control.people_waiting": {
    one: "Personas, {count} espera",
    other: "Personas, {count} esperan",
  },
  "control.more": "Más",
  "control.devices": "Cámara, micrófono, altavoz",
  "control.pip": "Imagen en imagen",
  "control.fullscreen": "Pantalla completa",
  "control.shortcuts": "Atajos de teclado",
  "control.leave": "Salir",
  "control.end_for_all": "Terminar para todos",

  "end_for_all.title": "¿Terminar la consulta para todos?",
  "end_for_all.help": "Todos salen de la llamada y la consulta queda como realizada.",
  "end_for_all.failed": "No se ha podido terminar. Compruebe su conexión y vuelva a intentarlo.",
  "end_for_all.not_started":
    "No ha empezado: nadie más ha estado en la llamada. Salga de ella o cancele la cita.",

  "people.in_call": { one: "En la llamada ({count})", other: "En la llamada ({count})" },
  "people.waiting": "En espera",
  "people.nobody_waits": "No espera nadie.",
  "people.waiting_for": "desde hace {time}",
  "people.admit": "Hacer pasar",
  "people.decline": "Rechazar",
  "people.admit_failed": "No ha funcionado. Compruebe su conexión y vuelva a intentarlo.",
  "people.microphone_on": "Micrófono encendido",
  "people.camera_on": "Cámara encendida",
  "people.camera_off": "Cámara apagada",

  "timer.elapsed": "Tiempo en la llamada",
  "timer.until": "hasta las {time}",
  "timer.left": "quedan {time}",
  "timer.overtime": "{time} de más",

  "shortcut.microphone": "Encender o apagar el micrófono",
  "shortcut.camera": "Encender o apagar la cámara",
  "shortcut.space": "Espacio",
  "shortcut.talk": "Mantener para hablar con el micrófono apagado",
  "shortcut.help": "Esta lista",
  "shortcut.enabled": "Usar atajos de teclado",

  "reconnect.title": "Reconectando…",
  "reconnect.first_title": "Aún conectando…",
  "reconnect.help": "Ocurre por sí solo. Quédese aquí.",
  "reconnect.next": {
    one: "Próximo intento en {count} segundo.",
    other: "Próximo intento en {count} segundos.",
  },
  "reconnect.now": "Intentar ahora",

  "failure.media_blocked": "Esta red no deja pasar la llamada",
  "failure.media_blocked_help":
    "Pruebe otra red, como los datos móviles, o desactive la VPN. Después vuelva a intentarlo.",
  "failure.server_gone": "No se puede acceder al servidor",
  "failure.server_gone_help":
    "Compruebe su conexión y vuelva a entrar. Si sigue igual, llame a la consulta.",
  "failure.refused": "No se le ha podido dejar entrar en la llamada",
  "failure.refused_help": "Salga y vuelva a abrir su enlace.",

  "audio.blocked": "El sonido está apagado",
  "audio.blocked_help": "El navegador pide un clic antes de reproducir sonido.",
  "audio.turn_on": "Activar el sonido",

  "share.failed": "No se ha podido compartir la pantalla",
  "share.failed_help": "Elija otra ventana, o reinicie el navegador y vuelva a intentarlo.",
  "share.denied_by_system":
    "Permita que su navegador grabe la pantalla en los ajustes del dispositivo y reinícielo.",

  "live.joined": "{name} ha entrado",
  "live.left": "{name} ha salido",
  "live.reconnecting": "Conexión perdida, reconectando",
  "live.reconnected": "Conexión recuperada",
  "live.share_started": "Está compartiendo su pantalla",
  "live.share_ended": "Su pantalla ya no se comparte",

  "notice.a_device": "Un dispositivo",
  "notice.added": "Se ha conectado {device}",
  "notice.removed": "Se ha desconectado {device}",
  "notice.switched": "Ahora se usa {device}",
  "notice.use": "Usarlo",

  "end.left": "Ha salido de la llamada",
  "end.left_waiting": "Ha salido de la sala de espera",
  "end.left_help": "¿Ha sido sin querer? Puede volver mientras dure la cita.",
  "end.joined": "Entrada",
  "end.left_at": "Salida",
  "end.duration": "Duración",
  "end.ended": "La consulta ha terminado",
  "end.ended_help": "Puede cerrar esta página.",
  "end.dashboard": "Ir al panel",
  "end.cancelled": "Esta cita se ha cancelado",
  "end.cancelled_help":
    "La página de su cita y el correo le dicen más. Para verse en otro momento, reserve de nuevo.",
  "end.declined": "No le han hecho pasar",
  "end.declined_help":
    "{name} no puede atenderle ahora. Llame a la consulta si cree que es un error.",
  "end.removed": "Le han sacado de la llamada",
  "end.removed_help": "Llame a la consulta si cree que es un error.",

  "problem.code": "Código: {code}",
  "problem.use_here": "Seguir la llamada aquí",
  "problem.link_invalid": "Este enlace no funciona",
  "problem.link_invalid_help":
    "Ábralo directamente desde el correo o cópielo entero. Un correo más reciente puede tener un enlace más reciente.",
  "problem.enter_code": "Introducir el código",
  "problem.link_expired": "Este enlace ha caducado",
  "problem.link_expired_help":
    "El tiempo de esta cita ya pasó. Reserve de nuevo o pida un enlace nuevo a la consulta.",
  "problem.room_full": "La llamada está llena",
  "problem.room_full_help":
    "Cierre la llamada en sus otros dispositivos o espere a que alguien salga. Después vuelva a intentarlo.",
  "problem.server": "No se puede acceder al servidor",
  "problem.server_help":
    "Compruebe su conexión y vuelva a intentarlo en un momento. Su cita no se ha perdido.",
  "problem.too_many": "Demasiados intentos",
  "problem.too_many_help":
    "Espere unos minutos e inténtelo de nuevo. Si escribió el código, compruébelo antes letra por letra.",
  "problem.replaced": "La llamada sigue en otra ventana",
  "problem.replaced_help":
    "Ha entrado desde otra ventana o dispositivo, por eso esta ha salido de la llamada.",
  "problem.unsupported": "Este navegador no puede hacer videollamadas",
  "problem.unsupported_help":
    "Abra el enlace en una versión actual de Chrome, Edge, Firefox o Safari.",
  "problem.unsupported_ios": "Abra el enlace en Safari y actualice su iPhone o iPad.",
  "problem.unexpected": "Algo ha salido mal",
  "problem.unexpected_help":
    "Vuelva a intentarlo. Si sigue igual, llame a la consulta y lea el código.",

  "check.link": "Probar mi equipo",
  "check.title": "Probar su equipo",
  "check.intro": "Menos de un minuto: cámara, micrófono, altavoz y conexión.",
  "check.start": "Empezar la prueba",
  "check.permission": "Permiso",
  "check.permission_help":
    "Su navegador le pedirá la cámara y el micrófono. Elija Permitir. No se envía ni se guarda nada.",
  "check.permission_asking": "Elija Permitir en la pregunta de su navegador.",
  "check.camera_help": "¿Se ve?",
  "check.microphone_help": "Diga unas palabras.",
  "check.microphone_heard": "Le oímos.",
  "check.speaker_question": "Reproduzca el sonido de prueba. ¿Lo ha oído?",
  "check.speaker_no_help":
    "Suba el volumen, elija otro altavoz o conecte unos auriculares. Después reprodúzcalo otra vez.",
  "check.yes": "Sí, lo he oído",
  "check.no": "No",
  "check.connection": "Conexión",
  "check.other_devices": "Usar otros dispositivos",
  "check.ready": "Todo está listo",
  "check.ready_help": "Todo funciona. Use este dispositivo y este navegador para su cita.",
  "check.state_todo": "Aún sin comprobar",
  "check.state_running": "Comprobando",
  "check.state_done": "Funciona",
  "check.state_trouble": "Necesita atención",
};

export default es;
