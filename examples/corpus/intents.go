package corpus

import (
	"slices"
	"strings"
)

// utterance is what a customer writes.
type utterance struct {
	Text     string `json:"utterance"`
	Intent   string `json:"intent"`
	Language string `json:"language"`
}

// pair is an utterance and an answer, and whether it is the right one.
type pair struct {
	Utterance string `json:"utterance"`
	Answer    string `json:"answer"`
	Right     string `json:"right"`
}

// answer is a canned answer.
type answer struct {
	Text     string `json:"answer"`
	Intent   string `json:"intent"`
	Language string `json:"language"`
}

// intent is what customers of a shop want: how they say it, in sentences for training, others to choose settings by and others
// for testing, and the answer.
type intent struct {
	name                         string
	enTrain, enValid, enTest, en string
	zhTrain, zhValid, zhTest, zh string
}

var intents = []intent{
	{"order_status",
		`where is my order | when will my parcel arrive | has my order been shipped | track my package | what is the status of my order | my delivery has not come yet | is my parcel on its way`,
		`my order should have been here by now | can you tell me where my package is | what happened to my delivery`,
		`where is my parcel | when does my order come | has my package been shipped yet`,
		"You can follow every parcel under My orders; the tracking number is in the shipping mail.",
		`我的订单到哪里了 | 包裹什么时候到 | 订单发货了吗 | 查询物流信息 | 我的订单现在是什么状态 | 快递怎么还没有到`,
		`订单为什么还没到 | 帮我查一下包裹 | 我买的东西发货没有`,
		`我的包裹到哪里了 | 订单什么时候到 | 我的快递发货了吗`,
		"您可以在我的订单中查看物流信息，运单号在发货邮件里。"},
	{"cancel_order",
		`cancel my order | I want to cancel the order I placed | please stop my order before it ships | I ordered by mistake , cancel it | how can I cancel an order | call off my purchase`,
		`I do not want the order any more | can you stop my purchase | I changed my mind , cancel what I ordered`,
		`please cancel the order | how do I cancel my purchase | stop the order I placed by mistake`,
		"An order can be cancelled under My orders until it has left our warehouse.",
		`我要取消订单 | 请帮我取消刚才的订单 | 怎么取消订单 | 我下错单了想取消 | 取消购买`,
		`我不想要这个订单了 | 可以取消刚买的东西吗 | 订单下错了，请取消`,
		`请取消我的订单 | 下错单了怎么取消 | 我想取消购买`,
		"订单出库之前，您可以在我的订单中取消。"},
	{"return_item",
		`I want to return these shoes | how do I send an item back | the jacket does not fit , can I return it | return label for my item | I would like to give this back | what is your return policy`,
		`I want to send these trousers back | the item is too small , how can I return it | where do I send a return`,
		`how do I return an item | can I send the jacket back | these shoes do not fit , I want to return them`,
		"You may return goods within 30 days; print the return label from your account.",
		`我想退货 | 怎么把商品退回去 | 衣服不合适可以退吗 | 退货地址是什么 | 退货政策是什么`,
		`裤子太小了想退货 | 退货要寄到哪里 | 我想把东西退回`,
		`商品不合适我想退货 | 怎么退货 | 鞋子可以退回去吗`,
		"收货后三十天内可以退货，请在账户中打印退货单。"},
	{"refund_status",
		`when do I get my money back | has my refund been paid | I am still waiting for my refund | where is my refund | how long does a refund take | the money for my return has not arrived`,
		`you still owe me the refund | is my money on its way back | I sent the item back and have no refund yet`,
		`when will my refund arrive | I have not got my money back yet | how long until the refund is paid`,
		"Refunds are paid to the card you used within five working days of the return.",
		`退款什么时候到账 | 我的退款到了吗 | 还没有收到退款 | 退款需要多长时间 | 钱什么时候退给我`,
		`退款怎么还没到 | 请问我的钱退了没有 | 退货以后多久能收到退款`,
		`我什么时候能收到退款 | 退款到账要多久 | 钱退给我了吗`,
		"我们收到退货后五个工作日内，款项退回原支付卡。"},
	{"change_address",
		`I need to change my delivery address | I moved , update my address | send it to another address | the shipping address is wrong | change where my parcel goes | correct the street in my address`,
		`can you deliver to a different address | the street on my order is not right | I have a new address for the delivery`,
		`please update the delivery address | my address is wrong | I moved and need another shipping address`,
		"Change the delivery address in your account before the order ships.",
		`我要修改收货地址 | 我搬家了，请更新地址 | 地址写错了 | 寄到另一个地址 | 怎么改送货地址`,
		`我想换一个收货地址 | 街道写错了，请改地址 | 能送到新地址吗`,
		`请修改我的地址 | 收货地址写错了怎么改 | 请寄到别的地址`,
		"发货之前，您可以在账户中修改收货地址。"},
	{"payment_failed",
		`my card was declined | the payment did not go through | I cannot pay with my credit card | checkout says payment error | my payment failed twice | paying does not work`,
		`my payment was rejected | why can I not pay with this card | there was an error when I paid`,
		`my credit card payment failed | I cannot pay at checkout | the card was declined twice`,
		"Please check the card's limit and expiry date, or choose another way to pay.",
		`付款失败了 | 我的银行卡被拒绝 | 支付不成功 | 信用卡付不了款 | 付款时出现错误`,
		`为什么付不了款 | 银行卡支付出现错误 | 我的付款被拒绝了`,
		`支付失败怎么办 | 我的信用卡被拒绝了 | 付款不成功`,
		"请检查银行卡的额度和有效期，或者选择其他支付方式。"},
	{"reset_password",
		`I forgot my password | reset my password | I cannot log in | the login does not accept my password | how do I get a new password | my account is locked`,
		`I do not remember my password | my password is not accepted | let me into my account again`,
		`I forgot the password and cannot log in | how do I reset my password | send me a new password`,
		"Choose Forgot password on the login page and we will mail you a link.",
		`我忘记密码了 | 重置密码 | 我登录不了 | 密码不对，登不上去 | 怎么找回密码`,
		`密码忘了怎么办 | 我的账户登不上去 | 请帮我重置登录密码`,
		`忘记密码登录不了 | 怎么重置密码 | 我想找回密码`,
		"请在登录页面点击忘记密码，我们会发送链接到您的邮箱。"},
	{"invoice",
		`I need an invoice | send me a receipt for my order | can I have a bill with my company name | where can I download the invoice | the invoice is missing | I need a VAT invoice`,
		`can you mail me the receipt | I have not got an invoice for my purchase | how do I get a bill with VAT`,
		`please send the invoice for my order | where is my receipt | I need a bill for my company`,
		"Every invoice can be downloaded as a PDF file under My orders.",
		`我需要发票 | 怎么开发票 | 请把发票发给我 | 可以开公司抬头的发票吗 | 发票在哪里下载`,
		`能开一张发票吗 | 我没有收到发票 | 发票抬头要写公司`,
		`请给我开发票 | 发票怎么下载 | 我要公司发票`,
		"发票可以在我的订单中下载电子版。"},
	{"discount_code",
		`my discount code does not work | where do I enter the coupon | the voucher was not accepted | do you have a promo code | the coupon has expired | apply my voucher to the basket`,
		`I have a coupon , where does it go | why is my promo code refused | is there a voucher for new customers`,
		`the coupon code was not accepted | where do I enter my discount code | my voucher does not work`,
		"Enter the code in the basket; each code is valid once and for one order.",
		`优惠码用不了 | 优惠券在哪里输入 | 优惠券没有被接受 | 有折扣码吗 | 优惠券过期了`,
		`优惠码输入以后没有用 | 有没有新的优惠券 | 折扣券为什么不能用`,
		`我的优惠券用不了 | 折扣码在哪里输入 | 优惠码过期了吗`,
		"请在购物车中输入优惠码，每个优惠码只能使用一次。"},
	{"human_agent",
		`I want to talk to a person | connect me to an agent | let me speak with a human | can somebody call me | I do not want to chat with a bot | give me your phone number`,
		`is there a real person I can ask | I need to speak with your staff | stop the bot and call me`,
		`let me talk to a human agent | can I speak with somebody | connect me to a person please`,
		"I am passing you on to a colleague; please stay in the chat.",
		`我要人工客服 | 转人工 | 请让真人跟我说 | 我不想和机器人聊 | 客服电话是多少`,
		`有真人可以问吗 | 请客服给我打电话 | 不要机器人，我要找客服`,
		`请转人工客服 | 我想和真人聊 | 可以给我客服电话吗`,
		"正在为您转接人工客服，请稍候。"},
}

// What stands before and after what customers want, for training and for testing.
var (
	enBefore       = parts(` | hello , | hi there , | please help , | good morning , | sorry to bother you , | quick question : | excuse me , `)
	enAfter        = parts(` | please | thanks | thank you | as soon as possible | , it is urgent`)
	zhBefore       = parts(` | 你好， | 您好， | 请问 | 麻烦问一下， | 在吗？`)
	zhAfter        = parts(` | ，谢谢 | ，急 | ，麻烦了 | ？`)
	outsideEnglish = parts(`what will the weather be like tomorrow | tell me a joke | who won the football match last night | how do I boil an egg | play some music |
		what is the capital of Peru | set an alarm for seven | translate hello into Spanish | how tall is Mount Everest | recommend a good film |
		what is two plus two | turn off the lights in the kitchen | how old is the universe | write a poem about the sea | which bus goes to the airport |
		my dog is sick , what should I do | what is the meaning of life | how many calories are in an apple | sing a song for me | when does the sun set today |
		is there life on Mars | book a table for two at eight | who painted the Mona Lisa | what should I cook tonight | read me the news |
		are you hiring | can I invest in your company | what do you think about politics | how do I learn to swim | where can I see elephants`)
	outsideChinese = parts(`明天天气怎么样 | 给我讲个笑话 | 昨晚谁赢了比赛 | 鸡蛋要煮多久 | 播放音乐 | 秘鲁的首都是哪里 | 七点叫我起床 | 珠穆朗玛峰有多高 | 推荐一部好电影 | 二加二等于几 |
		关掉厨房的灯 | 写一首关于大海的诗 | 哪路公交车去机场 | 我的狗生病了 | 人生的意义是什么 | 苹果有多少热量 | 唱首歌 | 今天几点日落 | 火星上有生命吗 | 今晚吃什么 |
		读新闻给我听 | 你们招人吗 | 怎么学游泳 | 在哪里可以看到大象 | 谁画了蒙娜丽莎`)
	outsideEnglishValid = parts(`will it snow at the weekend | tell me a story | what is the score of the tennis game | how long do potatoes cook | turn the volume up |
		how many people live in Brazil | remind me to call my mother | what is cat in French | how deep is the ocean | which book should I read |
		what is the square root of nine | open the window | how far is the moon | draw a picture of a horse | when does the train to Berlin leave |
		my head hurts , what helps | do you have feelings | how much sugar is in honey | hum a tune | what time is it in Tokyo |
		can robots dream | find me a hotel in Rome | who wrote Hamlet | give me a recipe for soup | what happened in the world today |
		do you have jobs for students | who is the owner of your shop | who will win the election | teach me to play chess | where do penguins live`)
	outsideChineseValid = parts(`周末会下雪吗 | 讲一个故事 | 网球比赛几比几 | 土豆要煮多长时间 | 声音大一点 | 巴西有多少人 | 提醒我给妈妈打电话 | 大海有多深 | 我该看哪本书 | 九的平方根是多少 |
		打开窗户 | 画一匹马 | 去上海的火车几点开 | 我头疼怎么办 | 你有感情吗 | 蜂蜜里有多少糖 | 东京现在几点 | 机器人会做梦吗 | 今天世界上发生了什么 | 教我下棋 |
		企鹅住在哪里 | 谁写了红楼梦 | 老板是谁 | 汤怎么做 | 哪家酒店好`)
)

// Intents is what customers of a shop write, in English and Chinese, with what they want; what is outside of that; canned answers; and
// pairs of an utterance and an answer that belong together or do not. Sentences of the valid files are in no other, so that settings can be
// chosen by them.
func Intents() map[string]string {
	r, v := random(2), random(4)
	var train, valid, test []utterance
	var answers []answer
	for _, x := range intents {
		train = append(train, say(&r, x.name, "en", parts(x.enTrain), 40)...)
		train = append(train, say(&r, x.name, "zh", parts(x.zhTrain), 40)...)
		valid = append(valid, say(&v, x.name, "en", parts(x.enValid), 6)...)
		valid = append(valid, say(&v, x.name, "zh", parts(x.zhValid), 6)...)
		test = append(test, say(&r, x.name, "en", parts(x.enTest), 6)...)
		test = append(test, say(&r, x.name, "zh", parts(x.zhTest), 6)...)
		answers = append(answers, answer{x.en, x.name, "en"}, answer{x.zh, x.name, "zh"})
	}
	shuffle(&r, train)
	return map[string]string{
		"data/train.jsonl": lines(train), "data/valid.jsonl": lines(valid), "data/test.jsonl": lines(test), "data/answers.jsonl": lines(answers),
		"data/valid_outside.jsonl": lines(outside(outsideEnglishValid, outsideChineseValid)),
		"data/test_outside.jsonl":  lines(outside(outsideEnglish, outsideChinese)),
		"data/train_pairs.jsonl":   lines(pairs(&r, train, answers, 2)),
		"data/valid_pairs.jsonl":   lines(pairs(&v, valid, answers, len(answers)-1)),
		"data/test_pairs.jsonl":    lines(pairs(&r, test, answers, len(answers)-1)),
	}
}

// outside is what is out of scope, in both languages.
func outside(english, chinese []string) (out []utterance) {
	for _, s := range english {
		out = append(out, utterance{s, "out_of_scope", "en"})
	}
	for _, s := range chinese {
		out = append(out, utterance{s, "out_of_scope", "zh"})
	}
	return out
}

// say is n utterances of some sentences, each with something before and after it.
func say(r *random, name, language string, sentences []string, n int) []utterance {
	before, after, space := enBefore, enAfter, " "
	if language == "zh" {
		before, after, space = zhBefore, zhAfter, ""
	}
	var out []utterance
	seen := map[string]bool{}
	for i := 0; len(out) < n; i++ {
		s := strings.TrimSpace(r.of(before) + space + sentences[i%len(sentences)] + space + r.of(after))
		for strings.Contains(s, " ,") || strings.Contains(s, " :") {
			s = strings.NewReplacer(" ,", ",", " :", ":").Replace(s)
		}
		if seen[s] {
			continue
		}
		seen[s] = true
		out = append(out, utterance{s, name, language})
	}
	return out
}

// pairs is each utterance with the right answer, and with so many others.
func pairs(r *random, list []utterance, answers []answer, wrong int) []pair {
	var out []pair
	for _, u := range list {
		right := slices.IndexFunc(answers, func(a answer) bool { return a.Intent == u.Intent && a.Language == u.Language })
		out = append(out, pair{u.Text, answers[right].Text, "yes"})
		var others []string
		for i, a := range answers {
			if i != right {
				others = append(others, a.Text)
			}
		}
		shuffle(r, others)
		for _, a := range others[:wrong] {
			out = append(out, pair{u.Text, a, "no"})
		}
	}
	return out
}
