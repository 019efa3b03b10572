// A small table of emoji by Slack's names. A name that is not here shows as its text, :name:.

export const EMOJI = {
  "+1": "👍", "-1": "👎", thumbsup: "👍", thumbsdown: "👎", white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", eyes: "👀",
  pray: "🙏", bow: "🙇", clap: "👏", raised_hands: "🙌", wave: "👋", ok_hand: "👌", muscle: "💪", point_right: "👉",
  tada: "🎉", heart: "❤️", fire: "🔥", star: "⭐", sparkles: "✨", rocket: "🚀", "100": "💯", trophy: "🏆",
  smile: "😄", grinning: "😀", joy: "😂", blush: "😊", wink: "😉", thinking_face: "🤔", sob: "😭", sweat_smile: "😅",
  slightly_smiling_face: "🙂", neutral_face: "😐", astonished: "😲", confused: "😕", sunglasses: "😎", robot_face: "🤖",
  warning: "⚠️", no_entry: "⛔", no_entry_sign: "🚫", question: "❓", exclamation: "❗", information_source: "ℹ️", bulb: "💡", bell: "🔔",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", stopwatch: "⏱️", calendar: "📆", date: "📅", mag: "🔍", lock: "🔒", key: "🔑",
  memo: "📝", pencil2: "✏️", books: "📚", book: "📖", clipboard: "📋", page_facing_up: "📄", file_folder: "📁", inbox_tray: "📥",
  outbox_tray: "📤", email: "📧", phone: "☎️", computer: "💻", wrench: "🔧", hammer_and_wrench: "🛠️", gear: "⚙️", link: "🔗",
  chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", bar_chart: "📊", moneybag: "💰", yen: "💴", credit_card: "💳",
  office: "🏢", house: "🏠", scales: "⚖️", busts_in_silhouette: "👥", bust_in_silhouette: "👤", speech_balloon: "💬", label: "🏷️",
  arrow_right: "➡️", arrow_left: "⬅️", arrows_counterclockwise: "🔄", leftwards_arrow_with_hook: "↩️", rewind: "⏪", recycle: "♻️",
  red_circle: "🔴", large_blue_circle: "🔵", large_green_circle: "🟢", large_yellow_circle: "🟡", white_circle: "⚪", black_circle: "⚫",
  zzz: "💤", seedling: "🌱", palm_tree: "🌴", sunny: "☀️", coffee: "☕", jp: "🇯🇵", us: "🇺🇸",
};

/** What the reaction picker offers. */
export const PICKS = ["+1", "white_check_mark", "eyes", "pray", "tada", "heart", "smile", "thinking_face", "bulb", "rocket", "x", "-1"];

export const emojiText = (name) => EMOJI[name.split("::")[0]] ?? `:${name}:`;
